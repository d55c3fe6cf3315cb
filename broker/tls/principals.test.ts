// The principals of clients with certificates: odd subjects by Java's names, and Kafka's mapping rules. What is expected here
// Java has printed: clients/testing/interop/principals.interop.ts asks it again.

import { X509Certificate } from 'node:crypto'
import t from '../../protocol/testing/tap.ts'
import { attribute, subjectOf as subjectInDer } from '../../clients/testing/certificates.ts'
import { oddSubjects } from '../../clients/testing/odd-subjects.ts'
import { principalOf } from './client-principal.ts'
import { Der, DerError } from './der.ts'
import { distinguishedName, subjectOf } from './distinguished-name.ts'
import { PrincipalRules } from './principal-rules.ts'
import { authority } from './testing/certified.ts'

t.test('an odd subject has the name that Java gives it', async (t) => {
  for (const [what, { subject, name }] of Object.entries(oddSubjects)) {
    const { cert } = authority.issue({ name: 'x', subject })
    t.equal(subjectOf(new X509Certificate(cert).raw), name, what)
  }
  t.equal(distinguishedName(Der.read(subjectInDer())), '', 'an empty one')
})

t.test('a certificate that is cut anywhere is no certificate', async (t) => {
  const { cert } = authority.issue({ name: 'x' })
  const { raw } = new X509Certificate(cert)
  for (let end = 0; end < raw.length; end++)
    t.throws(() => subjectOf(raw.subarray(0, end)), DerError)
})

t.test('the first rule that matches the whole subject makes the name', async (t) => {
  const subject = 'CN=Kafka-1.Example.com,OU=Service Users,O=a\\,b'
  const cases: [rules: string, name: string | undefined][] = [
    ['DEFAULT', subject],
    [' DEFAULT ', subject],
    ['', undefined],
    ['RULE:^CN=(.*?),.*$/$1/', 'Kafka-1.Example.com'],
    ['RULE:^CN=(.*?),.*$/$1/L', 'kafka-1.example.com'],
    ['RULE:^CN=(.*?),.*$/user $1/U', 'USER KAFKA-1.EXAMPLE.COM'],
    ['RULE:CN=(.*?),/$1/', undefined],
    [
      'RULE:^O=.*$/none/,RULE:^CN=([a-zA-Z]*).*,OU=([^,]*),.*$/$2 of $1/,DEFAULT',
      'Service Users of Kafka',
    ],
    ['RULE:^O=.*$/none/,DEFAULT', subject],
    ['RULE:^CN=(.*?),.*$/$1 $2 \\$1/', 'Kafka-1.Example.com $2 $1'],
    ['RULE:.*/X/', 'XX'],
    ['RULE:^CN=(?P<who>[^,]*),.*/${who}/', 'Kafka-1.Example.com'],
  ]
  for (const [text, name] of cases) {
    const rules = await PrincipalRules.parse(text)
    t.equal(rules.nameOf(subject), name, text)
  }
})

t.test('a rule that is none is refused, with the rule', async (t) => {
  const cases: [text: string, message: RegExp][] = [
    ['RULE:abc', /rule RULE:abc: want RULE:PATTERN\/REPLACEMENT/],
    ['RULE:a/b', /want RULE/],
    ['DEFAULTS', /rule DEFAULTS: want RULE/],
    ['RULE:a/b/X', /rule RULE:a\/b\/X: want RULE/],
    ['DEFAULT,nonsense', /rule nonsense: want RULE/],
    ['RULE:(/$1/', /rule \(: its pattern is none of RE2/],
    ['RULE:(?=a)b/c/', /its pattern is none of RE2/],
    ['RULE:a/$1/', /rule \$1: it names a group/],
    ['RULE:(a)/$x/', /rule \$x: it names a group/],
    ['RULE:(a)/${no}/', /rule \$\{no\}: it names a group/],
  ]
  for (const [text, message] of cases)
    await t.rejects(PrincipalRules.parse(text), { code: 'INVALID_CONFIG', message }, text)
})

t.test('a client is refused when no rule applies, or its subject is endless', async (t) => {
  const certificate = (name: string) => new X509Certificate(authority.issue({ name }).cert)
  const rules = await PrincipalRules.parse('RULE:^CN=([a-z]*)$/$1/')
  t.strictSame(principalOf(certificate('alice'), rules), { type: 'User', name: 'alice' })
  t.match(principalOf(certificate('Bob'), rules), /no rule .* applies to CN=Bob/)
  const subject = subjectInDer(...Array(600).fill([attribute('550403', 0x0c, '0123456789')]))
  const endless = new X509Certificate(authority.issue({ name: 'x', subject }).cert)
  t.match(principalOf(endless, rules), /subject of its certificate has \d+ characters/)
})
