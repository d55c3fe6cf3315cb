// Layers: lays boxes out so that arrows point down: each box above those that it leads to, near them, and the arrows past
// the boxes between. Pure.

export interface Placed {
  readonly name: string
  readonly x: number
  readonly y: number
}

export interface Layout {
  readonly boxes: readonly Placed[]
  /** Each arrow's points, from the upper box to the lower one: where it passes. */
  readonly arrows: readonly (readonly (readonly [x: number, y: number])[])[]
  readonly width: number
  readonly height: number
}

export interface Sizes {
  readonly boxWidth: (name: string) => number
  readonly boxHeight: number
  readonly gapX: number
  readonly gapY: number
}

type Edges = ReadonlyMap<string, ReadonlySet<string>>

/** Where an arrow passes a row without a box. */
interface Node {
  readonly id: string
  readonly width: number
  readonly row: number
  readonly isBox: boolean
  x: number
}

interface Link {
  readonly upper: Node
  readonly lower: Node
}

const SWEEPS = 24
const PASSAGE_WIDTH = 16

/** Leaves out the edges that a longer way shows already. @param edges without circles */
export function withoutShortcuts(edges: Edges): Map<string, Set<string>> {
  const reachable = (from: string, seen = new Set<string>()): Set<string> => {
    for (const next of edges.get(from) ?? []) {
      if (seen.has(next)) continue
      seen.add(next)
      reachable(next, seen)
    }
    return seen
  }
  return new Map(
    [...edges].map(([from, to]) => {
      const further = new Set([...to].flatMap((next) => [...reachable(next)]))
      return [from, new Set([...to].filter((next) => !further.has(next)))]
    }),
  )
}

/** @param edges between `names`, without circles */
export function layOut(names: readonly string[], edges: Edges, sizes: Sizes): Layout {
  const rows = rowsOf(names, edges)
  const rowCount = Math.max(...rows.values()) + 1
  const nodes = new Map<string, Node>()
  const add = (id: string, width: number, row: number, isBox: boolean): Node => {
    const node = { id, width, row, isBox, x: 0 }
    nodes.set(id, node)
    return node
  }
  for (const name of names) add(name, sizes.boxWidth(name), rows.get(name)!, true)
  const arrows: Node[][] = []
  for (const [from, targets] of edges) {
    for (const to of targets) {
      const way = [nodes.get(from)!]
      for (let row = rows.get(from)! - 1; row > rows.get(to)!; row--)
        way.push(add(`${from} ${to} ${row}`, PASSAGE_WIDTH, row, false))
      arrows.push([...way, nodes.get(to)!])
    }
  }
  const links = arrows.flatMap((way) => way.slice(1).map((lower, i) => ({ upper: way[i]!, lower })))
  const linked = new Set(links.flatMap(({ upper, lower }) => [upper, lower]))
  const alone = [...nodes.values()].filter((node) => !linked.has(node))
  const order = Array.from({ length: rowCount }, (_, row) =>
    [...linked].filter((node) => node.row === row),
  )
  for (const row of order) spread(row, sizes.gapX)
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const rowsInTurn = sweep % 2 === 0 ? order : order.toReversed()
    for (const row of rowsInTurn) settle(row, links, sizes.gapX, sweep < SWEEPS / 2)
  }
  for (const node of alone) putAtEnd(node, order[node.row]!, sizes.gapX)
  return placed(nodes, arrows, rowCount, sizes)
}

/** Row of each box, 0 at the bottom; what leads nowhere and is led to by nothing stands in the top one. */
function rowsOf(names: readonly string[], edges: Edges): Map<string, number> {
  const rows = new Map<string, number>()
  const rowOf = (name: string): number => {
    const known = rows.get(name)
    if (known !== undefined) return known
    const below = [...(edges.get(name) ?? [])].map(rowOf)
    const row = below.length === 0 ? 0 : 1 + Math.max(...below)
    rows.set(name, row)
    return row
  }
  names.forEach(rowOf)
  const top = Math.max(...rows.values())
  const targets = new Set([...edges.values()].flatMap((to) => [...to]))
  for (const name of names)
    if ((edges.get(name)?.size ?? 0) === 0 && !targets.has(name)) rows.set(name, top)
  return rows
}

/** Side by side, the middle at 0. */
function spread(row: readonly Node[], gapX: number): void {
  let x = 0
  for (const node of row) {
    node.x = x + node.width / 2
    x += node.width + gapX
  }
  for (const node of row) node.x -= (x - gapX) / 2
}

/** Moves each node of a row towards what it is linked to. @param mayReorder else they keep their order */
function settle(row: Node[], links: readonly Link[], gapX: number, mayReorder: boolean): void {
  const wanted = new Map(row.map((node) => [node, middleOf(node, links)]))
  if (mayReorder) row.sort((a, b) => wanted.get(a)! - wanted.get(b)! || (a.id < b.id ? -1 : 1))
  const apart = (i: number) => (row[i]!.width + row[i + 1]!.width) / 2 + gapX
  const fromLeft = row.map((node) => wanted.get(node)!)
  for (let i = 0; i + 1 < row.length; i++)
    fromLeft[i + 1] = Math.max(fromLeft[i + 1]!, fromLeft[i]! + apart(i))
  const fromRight = row.map((node) => wanted.get(node)!)
  for (let i = row.length - 2; i >= 0; i--)
    fromRight[i] = Math.min(fromRight[i]!, fromRight[i + 1]! - apart(i))
  row.forEach((node, i) => (node.x = (fromLeft[i]! + fromRight[i]!) / 2))
}

/** A box without arrows, beside the last one of its row. */
function putAtEnd(node: Node, row: Node[], gapX: number): void {
  const end = Math.max(0, ...row.map(({ x, width }) => x + width / 2))
  node.x = end + gapX + node.width / 2
  row.push(node)
}

function middleOf(node: Node, links: readonly Link[]): number {
  const others = links.flatMap(({ upper, lower }) =>
    upper === node ? [lower.x] : lower === node ? [upper.x] : [],
  )
  return others.reduce((sum, x) => sum + x, 0) / others.length
}

function placed(
  nodes: ReadonlyMap<string, Node>,
  arrows: readonly (readonly Node[])[],
  rowCount: number,
  { boxHeight, gapY }: Sizes,
): Layout {
  const all = [...nodes.values()]
  const left = Math.min(...all.map(({ x, width }) => x - width / 2))
  const right = Math.max(...all.map(({ x, width }) => x + width / 2))
  const yOf = ({ row }: Node) => (rowCount - 1 - row) * (boxHeight + gapY)
  return {
    width: right - left,
    height: rowCount * boxHeight + (rowCount - 1) * gapY,
    boxes: all
      .filter(({ isBox }) => isBox)
      .map((node) => ({ name: node.id, x: node.x - left, y: yOf(node) })),
    arrows: arrows.map((way) => [
      [portOf(way[0]!, way[1]!, arrows, true) - left, yOf(way[0]!) + boxHeight] as const,
      ...way
        .slice(1, -1)
        .flatMap((node) => [
          [node.x - left, yOf(node)] as const,
          [node.x - left, yOf(node) + boxHeight] as const,
        ]),
      [portOf(way.at(-1)!, way.at(-2)!, arrows, false) - left, yOf(way.at(-1)!)] as const,
    ]),
  }
}

/** Where an arrow touches a box: its arrows side by side, in the order of where they go. */
function portOf(
  box: Node,
  next: Node,
  arrows: readonly (readonly Node[])[],
  isUpper: boolean,
): number {
  const nexts = arrows
    .filter((way) => (isUpper ? way[0] : way.at(-1)) === box)
    .map((way) => (isUpper ? way[1]! : way.at(-2)!))
    .sort((a, b) => a.x - b.x)
  const room = box.width - 36
  const step = Math.min(22, room / Math.max(1, nexts.length - 1))
  return box.x + (nexts.indexOf(next) - (nexts.length - 1) / 2) * step
}
