// The pages for users, and the blocks of code in them.

import { readdirSync, readFileSync } from 'node:fs'
import { root } from './sources.ts'

const guides = readdirSync(new URL('docs/guide/', root)).filter((name) => name.endsWith('.md'))

export const pages: readonly string[] = ['README.md', ...guides.map((name) => `docs/guide/${name}`)]

export function textOf(page: string): string {
  return readFileSync(new URL(page, root), 'utf8').replaceAll('\r\n', '\n')
}

type Language = 'sh' | 'ts' | 'js' | 'python' | 'properties' | 'console'

/** In order. */
export function blocksOf(page: string, language: Language): string[] {
  const fences = textOf(page).matchAll(/^ *```(\w+)\n(.*?)^ *```$/gms)
  return [...fences].flatMap(([, of, code]) => (of === language ? code! : []))
}
