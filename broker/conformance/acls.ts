// Requests for ACLs, sensible and odd ones, and what Apache Kafka with StandardAuthorizer answers an administrator: recorded
// beside in acls.txt by clients/testing/interop/acls.interop.ts, one line for each, in their order. Tests only.

import { describeAcls } from '../../protocol/api/29_describe_acls.ts'
import { createAcls } from '../../protocol/api/30_create_acls.ts'
import { deleteAcls } from '../../protocol/api/31_delete_acls.ts'
import {
  aclOperations as op,
  aclPatternTypes as pattern,
  aclPermissionTypes as permission,
  aclResourceTypes as type,
  CLUSTER_NAME,
} from '../../protocol/acl-codes.ts'
import type { RequestInput } from '../../protocol/schema.ts'
import { comparable } from '../testing/comparable.ts'
import { linesIn, titleOf } from './denied.ts'
import type { Question } from '../testing/questions.ts'

export const recordedAt = new URL('../../../broker/conformance/acls.txt', import.meta.url)

type Creation = RequestInput<typeof createAcls>['creations'][number]
type Filter = RequestInput<typeof deleteAcls>['filters'][number]

const base: Creation = {
  resourceType: type.topic,
  resourceName: 'orders',
  resourcePatternType: pattern.literal,
  principal: 'User:ann',
  host: '*',
  operation: op.read,
  permissionType: permission.allow,
}
const everything: Filter = {
  resourceTypeFilter: type.any,
  resourceNameFilter: null,
  patternTypeFilter: pattern.any,
  principalFilter: null,
  hostFilter: null,
  operation: op.any,
  permissionType: permission.any,
}

function create(what: string, ...changes: readonly Partial<Creation>[]): Question {
  const creations = changes.map((change) => ({ ...base, ...change }))
  return { api: createAcls, version: 3, what, request: { creations } }
}

function find(what: string, change: Partial<Filter> = {}, version = 3): Question {
  return { api: describeAcls, version, what, request: { ...everything, ...change } }
}

function remove(what: string, ...changes: readonly Partial<Filter>[]): Question {
  const filters = changes.map((change) => ({ ...everything, ...change }))
  return { api: deleteAcls, version: 3, what, request: { filters } }
}

const topicsLike = (resourceNameFilter: string | null, patternTypeFilter: number) => ({
  resourceTypeFilter: type.topic,
  resourceNameFilter,
  patternTypeFilter,
})

/** In this order: later ones are about what earlier ones have created. */
export const questions: readonly Question[] = [
  find('nothing there'),
  remove('nothing there', {}),
  create('one'),
  create('the same again, twice in one request', {}, {}),
  create(
    'of every type',
    { resourceType: type.group },
    { resourceType: type.transactionalId },
    { resourceType: type.cluster, resourceName: CLUSTER_NAME, operation: op.alter },
    { resourceType: type.user, operation: op.createTokens },
    { resourceType: type.delegationToken, operation: op.describe },
  ),
  create(
    'prefixes and wildcards',
    { resourcePatternType: pattern.prefixed, resourceName: 'or' },
    { resourcePatternType: pattern.prefixed, resourceName: '*' },
    { resourceName: '*', permissionType: permission.deny, principal: 'User:*' },
  ),
  create('an operation that the type does not have', {
    resourceType: type.group,
    operation: op.alterConfigs,
  }),
  create('all, and in two phases', { operation: op.all }, { operation: op.twoPhaseCommit }),
  create('a principal with commas and colons', { principal: 'User:CN=ann,O=a:b' }),
  create('hosts', { host: '127.0.0.1' }, { host: '0:0:0:0:0:0:0:1' }),
  create('a principal without colon, and a good one', { principal: 'ann' }, { host: '127.0.0.2' }),
  create('no resource name', { resourceName: '' }),
  create('another name of the cluster', { resourceType: type.cluster, resourceName: 'mine' }),
  create('all names of the cluster', { resourceType: type.cluster, resourceName: '*' }),
  create('a prefix of the cluster', {
    resourceType: type.cluster,
    resourceName: CLUSTER_NAME,
    resourcePatternType: pattern.prefixed,
  }),
  create('an unknown type', { resourceType: 99 }),
  create('an unknown pattern', { resourcePatternType: 9 }),
  create('an unknown operation', { operation: 99 }),
  create('a name of a topic that cannot be', { resourceName: 'no/topic' }),
  find('everything'),
  find('everything, in version 1', {}, 1),
  find('everything, in version 2', {}, 2),
  find('literal', { patternTypeFilter: pattern.literal }),
  find('prefixes', { patternTypeFilter: pattern.prefixed }),
  find('matching orders', topicsLike('orders', pattern.match)),
  find('any pattern of the name orders', topicsLike('orders', pattern.any)),
  find('literal orders', topicsLike('orders', pattern.literal)),
  find('prefix or', topicsLike('or', pattern.prefixed)),
  find('matching the asterisk', topicsLike('*', pattern.match)),
  find('matching no name', topicsLike(null, pattern.match)),
  find('an empty name', topicsLike('', pattern.any)),
  find('a principal', { principalFilter: 'User:CN=ann,O=a:b' }),
  find('a principal without colon', { principalFilter: 'ann' }),
  find('all users', { principalFilter: 'User:*' }),
  find('a host', { hostFilter: '127.0.0.1' }),
  find('all hosts', { hostFilter: '*' }),
  find('an operation', { operation: op.all }),
  find('what is denied', { permissionType: permission.deny }),
  find('an unknown type', { resourceTypeFilter: 99 }),
  find('an unknown operation', { operation: 99 }),
  find('an unknown permission', { permissionType: 99 }),
  remove(
    'two filters that find the same',
    topicsLike('or', pattern.prefixed),
    topicsLike('orders', pattern.match),
  ),
  remove('what is gone', topicsLike('or', pattern.prefixed)),
  remove('an unknown type', { resourceTypeFilter: 99 }),
  remove('a host', { hostFilter: '127.0.0.1' }),
  find('what is left'),
  remove('everything', {}),
  find('nothing there again'),
]

/**
 * Questions that our broker answers in another way: it refuses them with INVALID_REQUEST. Apache Kafka stores the first ones,
 * which never match a client; it fails with UNKNOWN_SERVER_ERROR, or closes the connection, at the others.
 */
export const refusedHere: readonly Question[] = [
  create('a range of hosts', { host: '10.0.0.0/8' }),
  create('a host name', { host: 'localhost' }, { host: '' }),
  create('a principal of another type', { principal: 'Group:staff' }, { principal: 'user:ann' }),
  create('no name of a principal', { principal: 'User:' }, { principal: ':ann' }),
  create('any type', { resourceType: type.any }),
  create('any pattern', { resourcePatternType: pattern.any }),
  create('a matching pattern', { resourcePatternType: pattern.match }),
  create('any operation', { operation: op.any }),
  create('any permission', { permissionType: permission.any }),
  create('an unknown permission', { permissionType: 0 }),
]

const OF_EACH_BROKER = new Set(['errorMessage', 'throttleTimeMs'])

/** @param answer undefined for a connection that was closed */
export function lineOf(question: Question, answer: unknown): string {
  const shown = answer === undefined ? 'closed' : JSON.stringify(comparable(answer, OF_EACH_BROKER))
  return `${titleOf(question)}: ${shown}`
}

export function recordedAnswers(): readonly string[] {
  return linesIn(recordedAt)
}
