// FindCoordinator: v1 keyType, throttle time, errorMessage; v3 flexible; v4 several keys (KIP-699); v5 may answer
// TRANSACTION_ABORTABLE (KIP-890); v6 keys of share groups (KIP-932).

import {
  api,
  array,
  int16,
  int32,
  int8,
  string,
  type RequestOf,
  type ResponseInput,
} from '../schema.ts'

export const findCoordinator = api({
  key: 10,
  name: 'FindCoordinator',
  versions: '0-6',
  flexible: '3+',
  request: {
    key: string.in('-3').default(''),
    keyType: int8.in('1+').default(0), // 0 group, 1 transaction, 2 share
    coordinatorKeys: array(string).in('4+').default([]),
  },
  response: {
    throttleTimeMs: int32.in('1+').default(0),
    errorCode: int16.in('-3').default(0),
    errorMessage: string.orNull().in('1-3').default(null),
    nodeId: int32.in('-3').default(0),
    host: string.in('-3').default(''),
    port: int32.in('-3').default(0),
    coordinators: array({
      key: string,
      nodeId: int32,
      host: string,
      port: int32,
      errorCode: int16,
      errorMessage: string.orNull().default(null),
    })
      .in('4+')
      .default([]),
  },
})
export type FindCoordinatorRequest = RequestOf<typeof findCoordinator>
export type FindCoordinatorResponse = ResponseInput<typeof findCoordinator>
