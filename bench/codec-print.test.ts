// The output of `npm run codec`, and its message for an unknown name.

import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import t from '../protocol/testing/tap.ts'

const script = fileURLToPath(new URL('codec-print.js', import.meta.url))

function codec(...args: string[]) {
  return spawnSync(process.execPath, [script, ...args], { encoding: 'utf8' })
}

t.test('codec prints the four functions of an API and version, however it is named', async (t) => {
  const { status, stdout } = codec('list-offsets', '6')
  t.equal(status, 0)
  for (const name of ['decodeListOffsetsRequestV6(r)', 'encodeListOffsetsRequestV6(w, m)']) {
    t.match(stdout, `function ${name} {`)
    t.match(stdout, `function ${name.replace('Request', 'Response')} {`)
  }
  t.match(stdout, /^ {4}const name_\d+ = r\.compactString\(\)$/m)
  t.equal(codec('2', '6').stdout, stdout)
  t.equal(codec('ListOffsets', '6').stdout, stdout)
})

t.test(
  'codec names what there is instead of what it does not know, and exits with 2',
  async (t) => {
    t.match(codec('lstoffsets', '6'), {
      status: 2,
      stdout: '',
      stderr: 'no API "lstoffsets"; there is ListOffsets\n',
    })
    t.match(codec('xyzzy', '6'), { status: 2, stderr: /there is Produce, Fetch, .*OffsetDelete/ })
    t.match(codec('fetch', '99'), {
      status: 2,
      stderr: 'Fetch has no version 99, it has 4 to 17\n',
    })
    t.match(codec(), { status: 2, stderr: /^usage: npm run codec/ })
  },
)
