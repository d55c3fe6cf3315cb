// Lines of JAAS, in which Kafka's properties name a login module and its options: `Module required name="value" ...;`. Pure.

export interface JaasEntry {
  /** The class of the login module. */
  readonly module: string
  readonly options: ReadonlyMap<string, string>
}

/** @throws {Error} what is wrong, without values of options: they are secrets */
export function parseJaas(line: string): JaasEntry {
  const words = line.matchAll(/"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|([^\s=;"']+|[=;])/gs)
  const [module = '', flag = '', ...others] = [...words].map(([, double, single, plain]) => {
    return plain ?? (double ?? single)!.replaceAll(/\\(.)/gs, '$1')
  })
  const isRight = /^(required|requisite|sufficient|optional)$/i.test(flag)
  if (!isRight || others.at(-1) !== ';')
    throw new Error('want: module required name="value" ...; with a semicolon')
  const options = new Map<string, string>()
  for (let i = 0; i < others.length - 1; i += 3) {
    const [name = '', equals, value = ''] = others.slice(i, i + 3)
    if (equals !== '=') throw new Error(`after ${name.slice(0, 50)} want =`)
    options.set(name, value)
  }
  return { module, options }
}
