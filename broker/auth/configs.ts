// The values of the properties that switch the authorizer on. Pure.

export const STANDARD_AUTHORIZER = 'org.apache.kafka.metadata.authorizer.StandardAuthorizer'

/** @returns '' for none; undefined for a class that is not served: a broker that takes it would look protected, and is not */
export function parseAuthorizer(text: string): string | undefined {
  const name = text.trim()
  return name === '' || name === STANDARD_AUTHORIZER ? name : undefined
}

/** Separated by semicolons, because names of certificates have commas. @returns undefined when one has no type */
export function parseSuperUsers(text: string): readonly string[] | undefined {
  const principals = text
    .split(';')
    .map((each) => each.trim())
    .filter((each) => each !== '')
  return principals.every((each) => /^[^:]+:./.test(each)) ? principals : undefined
}
