// PrincipalRules: `ssl.principal.mapping.rules`: the name of a principal from the subject of its certificate, as Apache Kafka's
// SslPrincipalMapper makes it. Patterns are RE2's, which match in linear time. Network thread.

import { KafkaError } from '../../protocol/errors.ts'
import { compilePattern, TEXT_STEPS_MAX } from '../pattern.ts'

const PART = String.raw`((?:\\.|[^\\/])*)`
/** Kafka's grammar: a comma ends a rule only where the rest can be rules, too. */
const RULES = new RegExp(
  String.raw`\s*(DEFAULT|RULE:${PART}/${PART}/[LU]?.*?|.*?)\s*(?:,\s*|$)`,
  'g',
)
const WHOLE_RULE = new RegExp(`^(?:(DEFAULT)|RULE:${PART}/${PART}/([LU]?))$`)
/** Of a replacement: text, an escaped character, a group by its number or by its name. */
const REPLACEMENT = /^(?:[^\\$]|\\[^]|\$\d+|\$\{\w+\})*$/

interface Rule {
  /** @returns undefined when the rule does not apply */
  apply(subject: string): string | undefined
}

const asItIs: Rule = { apply: (subject) => subject }

export class PrincipalRules {
  readonly #rules: readonly Rule[]

  private constructor(rules: readonly Rule[]) {
    this.#rules = rules
  }

  /** @throws {KafkaError} INVALID_CONFIG: which rule, and what was expected */
  static async parse(text: string): Promise<PrincipalRules> {
    const rules: Rule[] = []
    for (const [, rule = ''] of text.trim().matchAll(RULES)) {
      if (rule === '') continue
      const [, isDefault, pattern, replacement = '', letterCase = ''] = WHOLE_RULE.exec(rule) ?? []
      if (isDefault !== undefined) rules.push(asItIs)
      else if (pattern !== undefined) rules.push(await ruleOf(pattern, replacement, letterCase))
      else throw invalid(rule, 'want RULE:PATTERN/REPLACEMENT/, with L or U behind it, or DEFAULT')
    }
    return new PrincipalRules(rules)
  }

  /** @returns undefined when no rule applies: the client must be refused */
  nameOf(subject: string): string | undefined {
    for (const rule of this.#rules) {
      const name = rule.apply(subject)
      if (name !== undefined) return name
    }
    return undefined
  }
}

async function ruleOf(pattern: string, replacement: string, letterCase: string): Promise<Rule> {
  const expression = await compile(pattern)
  const groupNames = Object.keys(expression.namedGroups())
  checkReplacement(replacement, expression.groupCount(), groupNames)
  const literal = withLiteralDollars(replacement, expression.groupCount())
  return {
    apply(subject) {
      if (expression.programSize() * subject.length > TEXT_STEPS_MAX) return undefined
      if (!expression.matches(subject)) return undefined
      const name = expression.matcher(subject).replaceAll(literal, true)
      if (letterCase === 'L') return name.toLowerCase()
      return letterCase === 'U' ? name.toUpperCase() : name
    },
  }
}

/** Kafka would find out when a client comes. @throws {KafkaError} INVALID_CONFIG */
function checkReplacement(
  replacement: string,
  groupCount: number,
  groupNames: readonly string[],
): void {
  const named = Array.from(replacement.matchAll(/\$\{(\w+)\}/g), ([, name]) => name!)
  const isWithoutGroup = groupCount === 0 && /(?<!\\)\$[1-9]/.test(replacement)
  const isGood = REPLACEMENT.test(replacement) && named.every((name) => groupNames.includes(name))
  if (!isGood || isWithoutGroup)
    throw invalid(replacement, 'it names a group that its pattern has not; write \\$ for a dollar')
}

async function compile(pattern: string) {
  try {
    return await compilePattern(pattern)
  } catch (error) {
    if (!(error instanceof KafkaError)) throw error
    throw invalid(pattern, `its pattern is none of RE2: ${error.reason}`)
  }
}

/** A `$n` without such a group stands for itself, as in Kafka; without any group all of them are left to the engine. */
function withLiteralDollars(replacement: string, groupCount: number): string {
  if (groupCount === 0) return replacement
  return replacement.replaceAll(/\$(\d+)/g, (reference, digits: string) => {
    return !digits.startsWith('0') && Number(digits[0]) > groupCount ? `\\${reference}` : reference
  })
}

function invalid(rule: string, why: string): KafkaError {
  return new KafkaError('INVALID_CONFIG', `rule ${rule.slice(0, 256)}: ${why}`)
}
