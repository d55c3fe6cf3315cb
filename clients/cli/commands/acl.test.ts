// acl ls|add|rm, against a broker whose clients without a name are its administrators.

import t from '../../../protocol/testing/tap.ts'
import { Terminal } from '../testing/terminal.ts'

const terminal = await Terminal.open({
  'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
  'super.users': 'User:ANONYMOUS',
})
t.teardown(() => terminal[Symbol.asyncDispose]())

/** Without the headings, one space between columns. */
function linesOf(stdout: string): string[] {
  const lines = stdout.split('\n').map((line) => line.trim().replaceAll(/ +/g, ' '))
  return lines.filter((line) => line !== '' && !line.startsWith('PRINCIPAL'))
}

t.test('acl add, ls and rm', async (t) => {
  const added = await terminal.run(`
    acl add --allow ann --topic orders --producer
    acl add --allow User:ben --topic or --prefixed --group bills --consumer
    acl add --deny '*' --topic orders --operation delete,alter --host 10.0.0.7 --host ::1
    acl add --allow ops --cluster --operation all
    acl add --allow ann --topic orders --operation read --dry-run
    acl add --allow ann --topic orders --operation write`)
  t.strictSame(added.statuses, [0, 0, 0, 0, 0, 0])
  t.match(added.stderr, /dry run: nothing was changed/)
  t.strictSame(linesOf(added.stdout), [
    'User:ann allow write topic orders literal *',
    'User:ann allow describe topic orders literal *',
    'User:ann allow create topic orders literal *',
    'User:ben allow read topic or prefixed *',
    'User:ben allow describe topic or prefixed *',
    'User:ben allow read group bills prefixed *',
    'User:* deny delete topic orders literal 10.0.0.7',
    'User:* deny delete topic orders literal 0:0:0:0:0:0:0:1',
    'User:* deny alter topic orders literal 10.0.0.7',
    'User:* deny alter topic orders literal 0:0:0:0:0:0:0:1',
    'User:ops allow all cluster kafka-cluster literal *',
    'User:ann allow read topic orders literal *',
    'User:ann allow write topic orders literal *',
  ])
  const listed = await terminal.run(`
    acl ls --topic orders --operation read,write
    acl ls --topic orders --matching --operation read
    acl ls --allow ben --group bills --json
    acl ls --cluster
    acl ls --prefixed --operation describe
    acl ls --topic nothing`)
  t.strictSame(linesOf(listed.stdout), [
    'User:ann allow write topic orders literal *',
    'User:ben allow read topic or prefixed *',
    '{"principal":"User:ben","permission":"allow","operation":"read","resourceType":"group","resourceName":"bills","patternType":"prefixed","host":"*"}',
    'User:ops allow all cluster kafka-cluster literal *',
    'User:ben allow describe topic or prefixed *',
  ])
  t.match(listed.stderr, /no ACLs/)
  const removed = await terminal.run(`
    acl rm --deny '*' --host ::1 --yes
    acl rm --topic orders --dry-run -q
    acl rm --topic or --yes
    acl rm --topic or --prefixed --allow ben --yes
    acl rm --yes
    acl rm --all --yes
    acl ls`)
  t.strictSame(removed.statuses, [0, 0, 0, 0, 2, 0, 0])
  t.equal(linesOf(removed.stdout).filter((line) => line.includes('0:0:0:0:0:0:0:1')).length, 2)
  t.equal(linesOf(removed.stdout).filter((line) => line.includes(' or prefixed ')).length, 2)
  t.match(removed.stderr, /say which ACLs, such as --topic orders, or --all/)
  t.match(removed.stderr, /no ACL has all of these/)
  t.match(removed.stderr, /no ACLs\n$/)
})

t.test('what could not take effect is refused with the reason', async (t) => {
  const { stderr, statuses } = await terminal.run(`
    acl add --allow ann --topic orders --operation read --host 10.0.0.0/8
    acl add --allow ann --topic orders --operation read --host shop.example.com
    acl add --allow Group:staff --topic orders --operation read
    acl add --allow ann --group bills --operation write
    acl add --allow ann --topic orders --operation fly
    acl add --allow ann --topic orders
    acl add --topic orders --operation read
    acl add --allow ann --operation read
    acl add --allow ann --topic orders --consumer
    acl add --deny ann --topic orders --producer
    acl add --allow User: --topic orders --operation read`)
  t.match(stderr, /10\.0\.0\.0\/8: ACLs have single addresses: a range .* match no client/)
  t.match(stderr, /shop\.example\.com: want the address of a client, or \*: names of hosts/)
  t.match(stderr, /Group:staff: ACLs are about users/)
  t.match(stderr, /write has no effect on a group, which has read, delete, describe/)
  t.match(stderr, /there is no operation fly; want all, read, write/)
  t.match(stderr, /say what on the topic: --operation, --producer or --consumer/)
  t.match(stderr, /say --allow or --deny, and whom/)
  t.match(stderr, /say for what: --topic, --group, --transactional-id or --cluster/)
  t.match(stderr, /--consumer needs --group: the group that reads/)
  t.match(stderr, /--producer and --consumer allow; say --operation to deny/)
  t.match(stderr, /'User:' has no name/)
  t.ok(statuses.every((status) => status === 2))
})

t.test('a broker without an authorizer says so', async (t) => {
  await using plain = await Terminal.open()
  const { stderr, statuses } = await plain.run(`
    acl ls
    acl add --allow ann --topic orders --operation read`)
  t.match(stderr, /SECURITY_DISABLED.*No Authorizer is configured[^]*SECURITY_DISABLED/)
  t.strictSame(statuses, [1, 1])
})
