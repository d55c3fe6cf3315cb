// HttpRefusal: why a request is not answered, in words, and with which status.

export class HttpRefusal extends Error {
  override readonly name = 'HttpRefusal'
  readonly statusCode: 401 | 403 | 503
  readonly headers: Readonly<Record<string, string | string[]>>

  constructor(
    statusCode: HttpRefusal['statusCode'],
    message: string,
    headers: HttpRefusal['headers'] = {},
  ) {
    super(message)
    this.statusCode = statusCode
    this.headers = headers
  }
}
