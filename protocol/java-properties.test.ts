// The syntax of Java's property files. clients/testing/interop/property-files.interop.ts compares it with Java's own reader.

import t from './testing/tap.ts'
import { parseJavaProperties } from './java-properties.ts'

t.test('a properties file is read as Java reads it', async (t) => {
  const cases: Record<string, [name: string, value: string][]> = {
    'a=1': [['a', '1']],
    'a = 1 ': [['a', '1 ']],
    'b:2\nc 3\td\re\f:\f4': [
      ['b', '2'],
      ['c', '3\td'],
      ['e', '4'],
    ],
    '# a=1\n! b=2\n  # c=3\\\nd=4': [['d', '4']],
    'a=1\\\n   2\\\r\n\t3': [['a', '123']],
    'a=1\\\n# no comment': [['a', '1# no comment']],
    'a=1\\\\\nb=2': [
      ['a', '1\\'],
      ['b', '2'],
    ],
    'a=1\\': [['a', '1']],
    '  \\\n  a=1': [['a', '1']],
    '\\\n\n# a=1': [],
    'a=1\n\\\n# b=2\\\nc=3\n\\': [
      ['a', '1'],
      ['c', '3'],
    ],
    'a\\ b\\=c\\:d=e': [['a b=c:d', 'e']],
    '\\u00e4\\u20AC=\\t\\n\\r\\f\\z': [['ä€', '\t\n\r\fz']],
    'a==1\nb:=2\nc = : 3': [
      ['a', '=1'],
      ['b', '=2'],
      ['c', ': 3'],
    ],
    'a\n\nb=\n=c': [
      ['a', ''],
      ['b', ''],
      ['', 'c'],
    ],
    'a=1\nb=2\na=3': [
      ['a', '3'],
      ['b', '2'],
    ],
    '': [],
    ' \t\f\n\r\n': [],
  }
  for (const [text, expected] of Object.entries(cases))
    t.strictSame([...parseJavaProperties(text)], expected, JSON.stringify(text))
})

t.test('an escape without its four digits is refused, with the number of its line', async (t) => {
  for (const text of ['a=\\u', 'a=\\u12', 'a=\\u12g4', '\\ux=1', 'a=\\\n\\u00'])
    t.throws(() => parseJavaProperties(`# one\n\n${text}`), {
      name: 'MalformedProperties',
      message: 'line 3: \\u wants four digits, 0 to f',
    })
  t.strictSame([...parseJavaProperties('# \\u12\na=\\\\u12')], [['a', '\\u12']])
})
