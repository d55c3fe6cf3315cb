// The TypeScript sources and the pages of this checkout, for the tests and generators that look at the code itself.

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
  return rooms.flatMap((room) => filesIn(room, '.ts'))
}

export function markdown(): Source[] {
  return [...['README.md', 'CHANGELOG.md'].map(fileAt), ...filesIn('docs', '.md')]
}

function filesIn(directory: string, ending: string): Source[] {
  return readdirSync(new URL(directory, root), { recursive: true, encoding: 'utf8' })
    .map((file) => `${directory}/${file.replaceAll('\\', '/')}`)
    .filter((path) => path.endsWith(ending))
    .sort()
    .map(fileAt)
}

function fileAt(path: string): Source {
  return { path, text: readFileSync(new URL(path, root), 'utf8') }
}
