// AlterUserScramCredentials (KIP-554).

import {
  api,
  array,
  bytes,
  int16,
  int32,
  int8,
  string,
  type RequestOf,
  type ResponseInput,
} from '../schema.ts'

export const alterUserScramCredentials = api({
  key: 51,
  name: 'AlterUserScramCredentials',
  versions: '0',
  flexible: '0+',
  request: {
    deletions: array({ name: string, mechanism: int8 }),
    upsertions: array({
      name: string,
      mechanism: int8,
      iterations: int32,
      salt: bytes,
      saltedPassword: bytes, // PBKDF2 of the password; enough to log in with
    }),
  },
  response: {
    throttleTimeMs: int32.default(0),
    results: array({ user: string, errorCode: int16, errorMessage: string.orNull().default(null) }),
  },
})
export type AlterUserScramCredentialsRequest = RequestOf<typeof alterUserScramCredentials>
export type AlterUserScramCredentialsResponse = ResponseInput<typeof alterUserScramCredentials>
