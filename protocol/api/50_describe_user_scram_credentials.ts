// DescribeUserScramCredentials (KIP-554).

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

export const describeUserScramCredentials = api({
  key: 50,
  name: 'DescribeUserScramCredentials',
  versions: '0',
  flexible: '0+',
  request: {
    users: array({ name: string }).orNull(), // null or empty is all users
  },
  response: {
    throttleTimeMs: int32.default(0),
    errorCode: int16,
    errorMessage: string.orNull().default(null),
    results: array({
      user: string,
      errorCode: int16,
      errorMessage: string.orNull().default(null),
      credentialInfos: array({ mechanism: int8, iterations: int32 }),
    }),
  },
})
export type DescribeUserScramCredentialsRequest = RequestOf<typeof describeUserScramCredentials>
export type DescribeUserScramCredentialsResponse = ResponseInput<
  typeof describeUserScramCredentials
>
