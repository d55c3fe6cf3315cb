// The package that users install: what tsc has compiled, in a few files instead of some hundred, and the types of its
// entry points. See docs/decisions/0010-the-bundle.md

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'
import { minifySync } from 'rolldown/utils'

const { dependencies, exports } = JSON.parse(readFileSync('package.json', 'utf8'))

/** Each bundled package's licence, beside the code that stands under it. */
const licences = {
  name: 'licences',
  generateBundle(_options, bundle) {
    const modules = Object.values(bundle).flatMap(({ moduleIds = [] }) => moduleIds)
    const packages = new Set(modules.flatMap((id) => id.match(PACKAGE)?.[0] ?? []))
    const source = [...packages]
      .sort((a, b) => a.localeCompare(b))
      .map(licenceOf)
      .join('\n\n')
    this.emitFile({ type: 'asset', fileName: 'licences-of-bundled-packages.txt', source })
  },
}

const PACKAGE = /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/

function licenceOf(directory) {
  const { name, version, license } = JSON.parse(readFileSync(`${directory}/package.json`, 'utf8'))
  const files = readdirSync(directory).filter((file) => /^licen[cs]e/i.test(file))
  const texts = files.map((file) => readFileSync(`${directory}/${file}`, 'utf8'))
  return [`${name} ${version}, ${license}`, ...texts].join('\n\n')
}

const TYPES = 'dist/bundle/types'
const DECLARATION = /((?:from|import)\s*\(?\s*["'])(\.[^"']+)\.ts(["'])/g
const TYPED_ARRAY = /\b(Uint8Array|Buffer)<ArrayBuffer(?:Like)?>/g

/**
 * The declarations that the entry points' types are made of, and no others, as compilers from 5.4 on read them: with `.js`
 * in their imports, and without the type parameter that typed arrays have since 5.7.
 */
const declarations = {
  name: 'declarations',
  generateBundle() {
    const wanted = Object.values(exports).flatMap(({ types }) => types ?? [])
    const files = new Set(wanted.map((path) => posix.relative(TYPES, path)))
    for (const fileName of files) {
      const source = readFileSync(`dist/${fileName}`, 'utf8')
      for (const [, , path] of source.matchAll(DECLARATION))
        files.add(posix.join(posix.dirname(fileName), `${path}.d.ts`))
      this.emitFile({
        type: 'asset',
        fileName: `types/${fileName}`,
        source: source.replaceAll(DECLARATION, '$1$2.js$3').replaceAll(TYPED_ARRAY, '$1'),
      })
    }
  },
}

/**
 * Source maps lead to our TypeScript, past what tsc has made of it. They have names and lines, which is what a stack needs:
 * no text of sources, and nothing of other packages, which would be four fifths of them.
 */
const maps = {
  name: 'maps',
  load(id) {
    if (!/\.[cm]?js$/.test(id) || !existsSync(id)) return null
    const isOurs = !PACKAGE.test(id) && existsSync(`${id}.map`)
    const map = isOurs ? readFileSync(`${id}.map`, 'utf8') : { mappings: '' }
    return { code: readFileSync(id, 'utf8'), map }
  },
}

/** Files of nothing but other packages are small instead of readable: they were a third of the bundle, and nobody's stack. */
const smallPackages = {
  name: 'small-packages',
  generateBundle(_options, bundle) {
    for (const chunk of Object.values(bundle)) {
      const { moduleIds = [], fileName } = chunk
      if (moduleIds.length > 0 && moduleIds.every((id) => PACKAGE.test(id)))
        chunk.code = minifySync(fileName, chunk.code).code
    }
  },
}

/** Large packages in files without ours. */
const packagesApart = {
  groups: [
    {
      name: 'packages',
      test: PACKAGE,
      minSize: 200_000,
      entriesAware: true,
    },
  ],
}

/** For scripts that start the command by the path that it had before it was in CommonJS. */
const formerPath = {
  name: 'former-path',
  generateBundle() {
    const source = "#!/usr/bin/env node\nimport './cli/millrace.cjs'\n"
    this.emitFile({ type: 'asset', fileName: 'millrace.js', source })
  },
}

const external = Object.keys(dependencies)

/** Of what every file is like: sources have the comments, and the file of licences what those ask for. */
const files = { comments: false, sourcemap: true }

/** The entry points of the package and the scripts of threads. */
const library = {
  // One build for all, so that nothing is there twice: an error that the broker's side makes is a KafkaError of the client's.
  input: {
    client: 'dist/clients/index.js',
    broker: 'dist/broker/broker.js',
    protocol: 'dist/protocol/index.js',
    testing: 'dist/clients/testing/index.js',
    // What the command imports when it needs it.
    start: 'dist/broker/start.js',
    verify: 'dist/storage/verify/verify.js',
    'stopped-users': 'dist/broker/secure/stopped-users.js',
    yaml: 'yaml',
    // Named as in the sources, where each lies beside what starts it; here all files lie side by side.
    'writer-thread': 'dist/storage/writer/writer-thread.js',
    'cleaner-thread': 'dist/storage/cleaner/cleaner-thread.js',
    'validator-thread': 'dist/storage/validator/validator-thread.js',
    'search-thread': 'dist/storage/search/search-thread.js',
  },
  platform: 'node',
  external,
  plugins: [maps, smallPackages, licences, declarations, formerPath],
  output: {
    dir: 'dist/bundle',
    cleanDir: true,
    chunkFileNames: '[name].js',
    codeSplitting: packagesApart,
    ...files,
  },
}

const IN_LIBRARY = /^(?:[.][.][/])+(?:broker|storage)[/].*?([^/]+)[.]js$|^(yaml)$/

/** The command's imports of the broker, the storage and YAML lead to their entry points in the library. */
const toLibrary = {
  name: 'to-library',
  resolveId(source) {
    const [, file, name = file] = IN_LIBRARY.exec(source) ?? []
    if (name === undefined) return null
    if (!(name in library.input)) this.error(`${source} is no entry point of the library`)
    return { id: `../${name}.js`, external: true }
  },
}

/** commander loads this for programs that a command starts, of which millrace has none: a tenth of a start. */
const noPrograms = {
  name: 'no-programs',
  resolveId(source, importer) {
    const isUnused = source === 'node:child_process' && /[/\\]commander[/\\]/.test(importer)
    return isUnused ? 'no-programs' : null
  },
  load: (id) => (id === 'no-programs' ? 'export {}' : null),
}

/** The command, in CommonJS, which Node loads with less work: a third of what a short command costs. */
const command = {
  input: { millrace: 'dist/clients/cli/main.js' },
  platform: 'node',
  external,
  plugins: [noPrograms, toLibrary, maps, smallPackages, licences],
  output: {
    dir: 'dist/bundle/cli',
    format: 'cjs',
    entryFileNames: '[name].cjs',
    chunkFileNames: '[name].cjs',
    ...files,
  },
}

export default [library, command]
