// Subjects of certificates that are easy to get wrong: escapes, blanks, old strings, types without a name, several at once.

import { attribute, subjectOf } from './certificates.ts'

const utf8 = 0x0c
const printable = 0x13
const t61 = 0x14
const ia5 = 0x16
const bmp = 0x1e
const universal = 0x1c

const cn = (value: string | Buffer, tag = utf8) => attribute('550403', tag, value)
const ou = (value: string, tag = utf8) => attribute('55040b', tag, value)
const o = (value: string, tag = utf8) => attribute('55040a', tag, value)
const c = (value: string) => attribute('550406', printable, value)

interface OddSubject {
  /** What Java calls it. */
  readonly name: string
  /** In DER. */
  readonly subject: Buffer
}

/** By what is odd about each. */
export const oddSubjects: Readonly<Record<string, OddSubject>> = {
  'one name': {
    name: 'CN=alice',
    subject: subjectOf([cn('alice')]),
  },
  'several names, from the last to the first': {
    name: 'CN=kafka-1.example.com,OU=ServiceUsers,O=Example,C=DE',
    subject: subjectOf(
      [c('DE')],
      [o('Example')],
      [ou('ServiceUsers')],
      [cn('kafka-1.example.com')],
    ),
  },
  'characters that are escaped': {
    name: 'O=\\#first,CN=a\\,b\\+c\\"d\\\\e\\<f\\>g\\;h\\=i\\#j',
    subject: subjectOf([cn('a,b+c"d\\e<f>g;h=i#j')], [o('#first')]),
  },
  'blanks at the ends': {
    name: 'O=\\\r\nx\\\r,OU=\\ ,CN=\\ \\ two before\\, two behind\\ \\ ',
    subject: subjectOf([cn('  two before, two behind  ')], [ou(' ')], [o('\r\nx\r')]),
  },
  'an empty value': {
    name: 'CN=',
    subject: subjectOf([cn('')]),
  },
  'letters of other scripts': {
    name: 'O=ИП,CN=Zoë Müller 東京 😀',
    subject: subjectOf([cn('Zoë Müller 東京 \u{1f600}')], [o('ИП')]),
  },
  'control characters': {
    name: 'CN=a\\00b\nc\td\u007fe\u0085f',
    subject: subjectOf([cn('a\0b\nc\td\u007fe\u0085f')]),
  },
  'bytes that are no UTF-8': {
    name: 'CN=a\ufffdb€c\ufffd',
    subject: subjectOf([cn(Buffer.from('61ff62e282ac63c3', 'hex'), t61)]),
  },
  'every type with a name': {
    name: 'CN=x,STREET=Street 1,ST=State,L=Town,UID=uid-1,DC=com',
    subject: subjectOf(
      [attribute('0992268993f22c640119', ia5, 'com')],
      [attribute('0992268993f22c640101', utf8, 'uid-1')],
      [attribute('550407', utf8, 'Town')],
      [attribute('550408', utf8, 'State')],
      [attribute('550409', utf8, 'Street 1')],
      [cn('x', printable)],
    ),
  },
  'types without a name': {
    name: 'CN=y,2.999.3=#0c1366726f6d2074686520746869726420726f6f74,2.25.311.127.1.2=#0c036f776e,2.5.4.46=#13097175616c6966696572,2.5.4.4=#0c075375726e616d65,2.5.4.5=#13053132333435,1.2.840.113549.1.9.1=#160d61406578616d706c652e636f6d',
    subject: subjectOf(
      [attribute('2a864886f70d010901', ia5, 'a@example.com')],
      [attribute('550405', printable, '12345')],
      [attribute('550404', utf8, 'Surname')],
      [attribute('55042e', printable, 'qualifier')],
      [attribute('6982377f0102', utf8, 'own')],
      [attribute('883703', utf8, 'from the third root')],
      [cn('y')],
    ),
  },
  'several attributes in one': {
    name: 'O=z,CN=b+OU=a+CN=a',
    subject: subjectOf([cn('b'), ou('a'), cn('a')], [o('z')]),
  },
  'old strings': {
    name: 'CN=#1c080000006600000142,CN=\\00f\u0001B,OU=ia5,CN=Téléx',
    subject: subjectOf(
      [cn('T\xe9l\xe9x', t61)],
      [ou('ia5', ia5)],
      [cn(Buffer.from('00660142', 'hex'), bmp)],
      [cn(Buffer.from('0000006600000142', 'hex'), universal)],
    ),
  },
  'two names alike': {
    name: 'OU=b,OU=a,CN=two,CN=one',
    subject: subjectOf([cn('one')], [cn('two')], [ou('a')], [ou('b')]),
  },
}
