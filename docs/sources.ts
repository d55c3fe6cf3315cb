// The TypeScript sources of this checkout, for the tests and generators that look at the code itself.

import { readdirSync, readFileSync } from 'node:fs'

export interface Source {
  /** From the root of the checkout, with forward slashes. */
  readonly path: string
  readonly text: string
}

/** The root of the checkout, as seen from dist/docs/. */
export const root = new URL('../../', import.meta.url)

const rooms = ['broker', 'storage', 'protocol', 'clients', 'bench', 'docs'] as const

export function sources(): Source[] {
  return rooms.flatMap((room) =>
    readdirSync(new URL(room, root), { recursive: true, encoding: 'utf8' })
      .map((file) => `${room}/${file.replaceAll('\\', '/')}`)
      .filter((path) => path.endsWith('.ts'))
      .sort()
      .map((path) => ({ path, text: readFileSync(new URL(path, root), 'utf8') })),
  )
}
