// The bundle that users run: what tsc has compiled, in a few files instead of some 120. See docs/decisions/0010-the-bundle.md

import { readFileSync } from 'node:fs'

/** Packages that every command or every start needs; the others stay what users have installed. */
const bundledPackages = ['commander', 'msgpackr']
const { dependencies } = JSON.parse(readFileSync('package.json', 'utf8'))

const licences = {
  name: 'licences',
  generateBundle() {
    const text = (name) => `${name}\n\n${readFileSync(`node_modules/${name}/LICENSE`, 'utf8')}`
    this.emitFile({
      type: 'asset',
      fileName: 'licences-of-bundled-packages.txt',
      source: bundledPackages.map(text).join('\n\n'),
    })
  },
}

export default {
  // One build for all, so that nothing is there twice: an error that the broker's side makes is a KafkaError of the client's.
  input: {
    millrace: 'dist/clients/cli/main.js',
    client: 'dist/clients/index.js',
    broker: 'dist/broker/broker.js',
    protocol: 'dist/protocol/index.js',
    testing: 'dist/clients/testing/index.js',
    // Named as in the sources, where each lies beside what starts it; here all files lie side by side.
    'writer-thread': 'dist/storage/writer/writer-thread.js',
    'cleaner-thread': 'dist/storage/cleaner/cleaner-thread.js',
  },
  platform: 'node',
  external: Object.keys(dependencies).filter((name) => !bundledPackages.includes(name)),
  plugins: [licences],
  output: { dir: 'dist/bundle', cleanDir: true, chunkFileNames: '[name].js' },
}
