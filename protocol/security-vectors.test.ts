// Byte vectors of the security APIs: SASL, ACLs, delegation tokens, quotas, SCRAM credentials.

import { saslHandshake } from './api/17_sasl_handshake.ts'
import { describeAcls } from './api/29_describe_acls.ts'
import { createAcls } from './api/30_create_acls.ts'
import { deleteAcls } from './api/31_delete_acls.ts'
import { saslAuthenticate } from './api/36_sasl_authenticate.ts'
import { createDelegationToken } from './api/38_create_delegation_token.ts'
import { renewDelegationToken } from './api/39_renew_delegation_token.ts'
import { expireDelegationToken } from './api/40_expire_delegation_token.ts'
import { describeDelegationToken } from './api/41_describe_delegation_token.ts'
import { describeClientQuotas } from './api/48_describe_client_quotas.ts'
import { alterClientQuotas } from './api/49_alter_client_quotas.ts'
import { describeUserScramCredentials } from './api/50_describe_user_scram_credentials.ts'
import { alterUserScramCredentials } from './api/51_alter_user_scram_credentials.ts'
import { vector } from './testing/vectors.ts'

const hmac = Buffer.from('hm')

vector(saslHandshake.request, { mechanism: 'PLAIN' }, `* 0005 'PLAIN'`)

vector(
  saslHandshake.response,
  { errorCode: 33, mechanisms: ['PLAIN'] },
  `* 0021 00000001 0005 'PLAIN'`,
)

vector(
  saslAuthenticate.request,
  { authBytes: hmac },
  `
    -1    00000002 'hm'
    2+    03 'hm' 00
  `,
)

vector(
  saslAuthenticate.response,
  { errorCode: 34, errorMessage: 'no', authBytes: hmac, sessionLifetimeMs: 258 },
  `
    *     0022
    -1    0002 'no' 00000002 'hm'
    2+    03 'no' 03 'hm'
    1+    0000000000000102       -- sessionLifetimeMs
    2+    00
  `,
)

vector(
  describeAcls.request,
  {
    resourceTypeFilter: 2,
    resourceNameFilter: 'logs',
    patternTypeFilter: 4,
    principalFilter: 'User:a',
    hostFilter: null,
    operation: 3,
    permissionType: 1,
  },
  `
    *     02
    1     0004 'logs' 04 0006 'User:a' ffff
    2+    05 'logs' 04 07 'User:a' 00
    *     03 01
    2+    00
  `,
)

vector(
  describeAcls.response,
  {
    throttleTimeMs: 1,
    errorCode: 54,
    errorMessage: 'no',
    resources: [
      {
        resourceType: 2,
        resourceName: 'logs',
        patternType: 4,
        acls: [{ principal: 'User:a', host: '*', operation: 3, permissionType: 2 }],
      },
    ],
  },
  `
    *     00000001 0036
    1     0002 'no' 00000001 02 0004 'logs' 04 00000001 0006 'User:a' 0001 '*' 03 02
    2+    03 'no' 02 02 05 'logs' 04 02 07 'User:a' 02 '*' 03 02 00 00 00
  `,
)

vector(
  createAcls.request,
  {
    creations: [
      {
        resourceType: 2,
        resourceName: 'logs',
        principal: 'User:a',
        host: '*',
        operation: 3,
        permissionType: 2,
      },
    ],
  },
  `
    1     00000001 02 0004 'logs' 03 0006 'User:a' 0001 '*' 03 02 -- pattern type 3: literal
    2+    02 02 05 'logs' 03 07 'User:a' 02 '*' 03 02 00 00
  `,
)

vector(
  createAcls.response,
  { throttleTimeMs: 1, results: [{ errorCode: 54, errorMessage: 'no' }] },
  `
    *     00000001
    1     00000001 0036 0002 'no'
    2+    02 0036 03 'no' 00 00
  `,
)

vector(
  deleteAcls.request,
  {
    filters: [
      {
        resourceTypeFilter: 2,
        resourceNameFilter: null,
        principalFilter: null,
        hostFilter: '*',
        operation: 3,
        permissionType: 1,
      },
    ],
  },
  `
    1     00000001 02 ffff 03 ffff 0001 '*' 03 01
    2+    02 02 00 03 00 02 '*' 03 01 00 00
  `,
)

vector(
  deleteAcls.response,
  {
    throttleTimeMs: 1,
    filterResults: [
      {
        errorCode: 0,
        errorMessage: null,
        matchingAcls: [
          {
            errorCode: 31,
            errorMessage: 'no',
            resourceType: 2,
            resourceName: 'logs',
            principal: 'User:a',
            host: '*',
            operation: 3,
            permissionType: 2,
          },
        ],
      },
    ],
  },
  `
    *     00000001
    1     00000001 0000 ffff 00000001 001f 0002 'no' 02 0004 'logs' 03 0006 'User:a' 0001 '*' 03 02
    2+    02 0000 00 02 001f 03 'no' 02 05 'logs' 03 07 'User:a' 02 '*' 03 02 00 00 00
  `,
)

vector(
  createDelegationToken.request,
  { renewers: [{ principalType: 'User', principalName: 'a' }], maxLifetimeMs: -1 },
  `
    3     00 00                  -- owner: the principal that asks
    1     00000001 0004 'User' 0001 'a'
    2+    02 05 'User' 02 'a' 00
    *     ffffffffffffffff
    2+    00
  `,
)

vector(
  createDelegationToken.response,
  {
    errorCode: 64,
    principalType: 'User',
    principalName: 'a',
    issueTimestampMs: 1,
    expiryTimestampMs: 2,
    maxTimestampMs: 3,
    tokenId: 'id',
    hmac,
    throttleTimeMs: 4,
  },
  `
    *     0040
    1     0004 'User' 0001 'a'
    2+    05 'User' 02 'a'
    3     01 01                  -- who asked
    *     0000000000000001 0000000000000002 0000000000000003
    1     0002 'id' 00000002 'hm'
    2+    03 'id' 03 'hm'
    *     00000004
    2+    00
  `,
)

vector(
  renewDelegationToken.request,
  { hmac, renewPeriodMs: 5 },
  `
    1     00000002 'hm'
    2     03 'hm'
    *     0000000000000005
    2     00
  `,
)

vector(
  renewDelegationToken.response,
  { errorCode: 64, expiryTimestampMs: -1, throttleTimeMs: 1 },
  `
    *     0040 ffffffffffffffff 00000001
    2     00
  `,
)

vector(
  expireDelegationToken.request,
  { hmac, expiryTimePeriodMs: 5 },
  `
    1     00000002 'hm'
    2     03 'hm'
    *     0000000000000005
    2     00
  `,
)

vector(
  expireDelegationToken.response,
  { errorCode: 64, expiryTimestampMs: -1, throttleTimeMs: 1 },
  `
    *     0040 ffffffffffffffff 00000001
    2     00
  `,
)

vector(
  describeDelegationToken.request,
  { owners: null },
  `
    1     ffffffff
    2+    00 00
  `,
)

vector(
  describeDelegationToken.request,
  { owners: [{ principalType: 'User', principalName: 'a' }] },
  `
    1     00000001 0004 'User' 0001 'a'
    2+    02 05 'User' 02 'a' 00 00
  `,
)

vector(
  describeDelegationToken.response,
  {
    errorCode: 0,
    tokens: [
      {
        principalType: 'User',
        principalName: 'a',
        issueTimestamp: 1,
        expiryTimestamp: 2,
        maxTimestamp: 3,
        tokenId: 'id',
        hmac,
        renewers: [{ principalType: 'User', principalName: 'b' }],
      },
    ],
    throttleTimeMs: 4,
  },
  `
    *     0000
    1     00000001 0004 'User' 0001 'a'
    2+    02 05 'User' 02 'a'
    3     01 01                  -- who asked
    *     0000000000000001 0000000000000002 0000000000000003
    1     0002 'id' 00000002 'hm' 00000001 0004 'User' 0001 'b'
    2+    03 'id' 03 'hm' 02 05 'User' 02 'b' 00 00
    *     00000004
    2+    00
  `,
)

vector(
  describeClientQuotas.request,
  { components: [{ entityType: 'user', matchType: 1, match: null }], strict: true },
  `
    0     00000001 0004 'user' 01 ffff
    1     02 05 'user' 01 00 00
    *     01
    1     00
  `,
)

vector(
  describeClientQuotas.response,
  {
    throttleTimeMs: 1,
    errorCode: 0,
    entries: [
      {
        entity: [{ entityType: 'user', entityName: null }],
        values: [{ key: 'rate', value: 1.5 }],
      },
    ],
  },
  `
    *     00000001 0000
    0     ffff 00000001 00000001 0004 'user' ffff 00000001 0004 'rate' 3ff8000000000000
    1     00 02 02 05 'user' 00 00 02 05 'rate' 3ff8000000000000 00 00 00
  `,
)

vector(
  alterClientQuotas.request,
  {
    entries: [
      {
        entity: [{ entityType: 'ip', entityName: null }],
        ops: [{ key: 'rate', value: 1.5, remove: false }],
      },
    ],
    validateOnly: true,
  },
  `
    0     00000001 00000001 0002 'ip' ffff 00000001 0004 'rate' 3ff8000000000000 00
    1     02 02 03 'ip' 00 00 02 05 'rate' 3ff8000000000000 00 00 00
    *     01
    1     00
  `,
)

vector(
  alterClientQuotas.response,
  {
    throttleTimeMs: 1,
    entries: [
      { errorCode: 42, errorMessage: 'm', entity: [{ entityType: 'ip', entityName: 'a' }] },
    ],
  },
  `
    *     00000001
    0     00000001 002a 0001 'm' 00000001 0002 'ip' 0001 'a'
    1     02 002a 02 'm' 02 03 'ip' 02 'a' 00 00 00
  `,
)

vector(describeUserScramCredentials.request, { users: [{ name: 'a' }] }, `* 02 02 'a' 00 00`)

vector(
  describeUserScramCredentials.response,
  {
    throttleTimeMs: 1,
    errorCode: 0,
    results: [
      {
        user: 'a',
        errorCode: 91,
        errorMessage: 'no',
        credentialInfos: [{ mechanism: 2, iterations: 8192 }],
      },
    ],
  },
  `* 00000001 0000 00 02 02 'a' 005b 03 'no' 02 02 00002000 00 00 00`,
)

vector(
  alterUserScramCredentials.request,
  {
    deletions: [{ name: 'a', mechanism: 1 }],
    upsertions: [
      {
        name: 'b',
        mechanism: 2,
        iterations: 8192,
        salt: Buffer.of(1, 2),
        saltedPassword: Buffer.of(3, 4, 5),
      },
    ],
  },
  `* 02 02 'a' 01 00 02 02 'b' 02 00002000 03 0102 04 030405 00 00`,
)

vector(
  alterUserScramCredentials.response,
  { throttleTimeMs: 1, results: [{ user: 'a', errorCode: 91, errorMessage: 'no' }] },
  `* 00000001 02 02 'a' 005b 03 'no' 00 00`,
)
