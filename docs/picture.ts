// The picture of the rooms, docs/architecture.svg, drawn from the imports: it cannot show what is not so. `npm run docs`
// writes it. In light and dark, as the reader's system has it.

import { edgesBetween, importsOf } from './imports.ts'
import { layOut, withoutShortcuts, type Layout } from './layers.ts'
import { sources } from './sources.ts'

/** Room: what it is, and what the rooms in it are. A room that is not listed is drawn without words. */
const rooms: Record<string, { is: string; inside: Record<string, string> }> = {
  clients: {
    is: 'the client library and the command line',
    inside: {
      cli: 'the command millrace',
      streams: 'state and joins',
      transaction: 'exactly once',
      group: 'members, assignors',
      admin: 'topics, groups, configs',
      producer: 'batches, retries',
      consumer: 'fetching, positions',
      cluster: 'metadata, brokers',
      net: 'connections, TLS, SASL',
    },
  },
  broker: {
    is: 'the network, and a handler for each API',
    inside: {
      compose: 'puts the parts together',
      api: 'one handler per API',
      http: 'metrics and health',
      net: 'connections, limits',
      fetch: 'what may be read',
      produce: 'what may be written',
      group: 'consumer groups',
      sasl: 'who a client is',
      tls: 'certificates',
      txn: 'transactions',
      auth: 'who may do what',
      metrics: 'what is counted',
    },
  },
  storage: {
    is: 'the log on disk, and the one thread that writes it',
    inside: {
      tables: 'topics, ids, states',
      verify: 'checks a directory',
      validator: 'checks what is compressed',
      cleaner: 'compaction, retention',
      search: 'times inside batches',
      read: 'what readers see',
      writer: 'the only one that writes',
      recovery: 'what a crash left',
      producers: 'ids and sequences',
      segment: 'log and index files',
    },
  },
  protocol: {
    is: 'bytes to objects and back',
    inside: {
      api: 'a table per API',
      kept: 'records Kafka keeps',
      sasl: 'SCRAM, PLAIN',
      batch: 'record batches',
      compression: 'codecs',
    },
  },
}

const BOX_HEIGHT = 44
const sizes = {
  boxHeight: BOX_HEIGHT,
  gapX: 14,
  gapY: 38,
  boxWidth: (name: string) => {
    const [room = '', inner = ''] = name.split('/')
    return 26 + Math.max(8.4 * inner.length, 6.1 * wordsFor(room, inner).length)
  },
}
const PADDING = 22
const TITLE_HEIGHT = 50
const GAP = 56

const STYLE = `
text { font-family: system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif; fill: #1f2933 }
.room { fill: #f4f6f8; stroke: #c5ced8 }
.box { fill: #ffffff; stroke: #8a99a8 }
.title { font-size: 17px; font-weight: 600 }
.name { font-size: 14px; font-weight: 600; text-anchor: middle }
.what { font-size: 11.5px; font-weight: 400; fill: #566370 }
.box-what { text-anchor: middle; font-size: 11px }
.arrow { fill: none; stroke: #7b8a99; stroke-width: 1.3 }
.between { fill: none; stroke: #2f6f9f; stroke-width: 2.6 }
.lazy { stroke-dasharray: 6 5 }
.head { fill: #7b8a99 }
.between-head { fill: #2f6f9f }
@media (prefers-color-scheme: dark) {
  text { fill: #e4e9ee }
  .room { fill: #1b2129; stroke: #3a4653 }
  .box { fill: #262e38; stroke: #64748b }
  .what { fill: #a3b1bf }
  .arrow { stroke: #8fa0b1 }
  .head { fill: #8fa0b1 }
  .between { stroke: #6cb2e4 }
  .between-head { fill: #6cb2e4 }
}`

interface Panel {
  readonly name: string
  readonly layout: Layout
  x: number
  y: number
  width: number
  height: number
}

export function picture(): string {
  const panels = Object.fromEntries(Object.keys(rooms).map((name) => [name, panelOf(name)]))
  const [clients, broker, storage, protocol] = ['clients', 'broker', 'storage', 'protocol'].map(
    (name) => panels[name]!,
  ) as [Panel, Panel, Panel, Panel]
  // The client on the left, the broker above the storage on the right, the protocol below all.
  const columnWidth = Math.max(broker.width, storage.width)
  broker.width = storage.width = columnWidth
  broker.x = storage.x = clients.width + GAP
  storage.y = broker.height + GAP
  clients.height = storage.y + storage.height
  protocol.y = clients.height + GAP
  protocol.width = clients.width + GAP + columnWidth
  const [width, height] = [protocol.width + 2, protocol.y + protocol.height + 2]
  const middle = (panel: Panel) => panel.x + panel.width / 2
  const bottom = (panel: Panel) => panel.y + panel.height
  const side = clients.x + clients.width
  const between = [
    arrow(
      [
        [middle(broker), bottom(broker)],
        [middle(broker), storage.y],
      ],
      'between',
    ),
    arrow(
      [
        [middle(storage), bottom(storage)],
        [middle(storage), protocol.y],
      ],
      'between',
    ),
    arrow(
      [
        [middle(clients), bottom(clients)],
        [middle(clients), protocol.y],
      ],
      'between',
    ),
    lazy([side, clients.y + 76], [broker.x, broker.y + 76], 'start'),
    lazy([side, storage.y + 76], [storage.x, storage.y + 76], 'verify'),
  ]
  const head = (id: string, kind: string) =>
    `<marker id="${id}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" markerUnits="userSpaceOnUse" orient="auto"><path class="${kind}" d="M0 0L10 5L0 10z"/></marker>`
  const largeHead = head('between', 'between-head').replaceAll('="8"', '="13"')
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="-1 -1 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    '<title>The rooms of millrace, and which uses the code of which</title>',
    `<style>${STYLE}</style>`,
    `<defs>${head('inside', 'head')}${largeHead}</defs>`,
    ...Object.values(panels).map(drawn),
    ...between,
    '</svg>\n',
  ].join('\n')
}

function panelOf(room: string): Panel {
  const shipped = sources().filter(
    ({ path }) => !/\.test\.ts$|\/(testing|conformance)\//.test(path),
  )
  const imports = shipped.flatMap(importsOf).filter(({ kind }) => kind !== 'type')
  const innerRoomOf = (path: string) => new RegExp(`^${room}/[\\w-]+(?=/)`).exec(path)?.[0]
  const names = new Set(shipped.flatMap(({ path }) => innerRoomOf(path) ?? []))
  const edges = withoutShortcuts(edgesBetween(imports, innerRoomOf))
  const layout = layOut([...names].sort(), edges, sizes)
  const width = Math.max(layout.width, 7 * rooms[room]!.is.length) + 2 * PADDING
  return { name: room, layout, x: 0, y: 0, width, height: layout.height + TITLE_HEIGHT + PADDING }
}

function drawn({ name: room, layout, x, y, width, height }: Panel): string {
  const left = (width - layout.width) / 2
  const top = TITLE_HEIGHT + (height - TITLE_HEIGHT - PADDING - layout.height) / 2
  return [
    `<g transform="translate(${round(x)} ${round(y)})">`,
    `<rect class="room" width="${round(width)}" height="${round(height)}" rx="10"/>`,
    `<text class="title" x="${PADDING}" y="30">${room}/<tspan class="what" dx="12">${rooms[room]!.is}</tspan></text>`,
    `<g transform="translate(${round(left)} ${round(top)})">`,
    ...layout.arrows.map((points) => arrow(points, 'arrow')),
    ...layout.boxes.map((box) => boxText(room, box)),
    '</g>',
    '</g>',
  ].join('\n')
}

function boxText(room: string, { name, x, y }: Layout['boxes'][number]): string {
  const inner = name.split('/')[1]!
  const width = sizes.boxWidth(name)
  return (
    `<rect class="box" x="${round(x - width / 2)}" y="${round(y)}" width="${round(width)}" height="${BOX_HEIGHT}" rx="6"/>` +
    `<text class="name" x="${round(x)}" y="${round(y + 19)}">${inner}</text>` +
    `<text class="what box-what" x="${round(x)}" y="${round(y + 34)}">${wordsFor(room, inner)}</text>`
  )
}

function wordsFor(room: string, inner: string): string {
  return rooms[room]?.inside[inner] ?? ''
}

type Point = readonly [x: number, y: number]

/** Down through all points. */
function arrow(points: readonly Point[], kind: 'arrow' | 'between'): string {
  const [[x, y], ...others] = points as [Point, ...Point[]]
  let [fromX, fromY] = [x, y]
  const parts = others.map(([toX, toY]) => {
    const bend = (toY - fromY) / 2
    const part = `C${round(fromX)} ${round(fromY + bend)} ${round(toX)} ${round(toY - bend)} ${round(toX)} ${round(toY)}`
    ;[fromX, fromY] = [toX, toY]
    return part
  })
  const marker = kind === 'arrow' ? 'inside' : 'between'
  return `<path class="${kind}" marker-end="url(#${marker})" d="M${round(x)} ${round(y)}${parts.join('')}"/>`
}

/** What the command line loads of another room, only when it runs. */
function lazy([x, y]: Point, [toX, toY]: Point, word: string): string {
  const line = `<path class="between lazy" marker-end="url(#between)" d="M${round(x)} ${round(y)}L${round(toX)} ${round(toY)}"/>`
  return `${line}<text class="what" text-anchor="middle" x="${round((x + toX) / 2)}" y="${round(y - 8)}">${word}</text>`
}

function round(n: number): number {
  return Math.round(n * 10) / 10
}
