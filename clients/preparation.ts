// Preparation: what a serde looks up before it reads or writes a record. Nothing here costs anything for serdes that
// look nothing up.

import { types } from 'node:util'
import type { Serde } from './serde.ts'
import { mute, shown } from './shown.ts'
import type { Topic } from './topic.ts'

export function preparesToRead({ key, value }: Topic): boolean {
  return key.prepareDeserialize !== undefined || value.prepareDeserialize !== undefined
}

export function preparesToWrite({ key, value }: Topic): boolean {
  return key.prepareSerialize !== undefined || value.prepareSerialize !== undefined
}

/** @returns undefined when all is at hand. @throws what a serde throws */
export function preparationToRead(
  topic: Topic,
  record: { readonly key: Buffer | null; readonly value: Buffer | null },
): Promise<unknown> | undefined {
  return preparationOf((field) => {
    const bytes = record[field]
    return bytes === null ? undefined : topic[field].prepareDeserialize?.(bytes, topic.name, field)
  })
}

/** @param given by the user, not checked yet */
export function preparationToWrite(topic: Topic, given: unknown): Promise<unknown> | undefined {
  const record = (given ?? {}) as { readonly key?: unknown; readonly value?: unknown }
  return preparationOf((field) => {
    const value = record[field]
    return value === null || value === undefined
      ? undefined
      : topic[field].prepareSerialize?.(value, topic.name, field)
  })
}

type Field = 'key' | 'value'
type Later = ReturnType<NonNullable<Serde<any>['prepareSerialize']>>

function preparationOf(prepare: (field: Field) => Later): Promise<unknown> | undefined {
  const key = later('key', prepare)
  if (key === undefined) return later('value', prepare)
  mute(key) // should the other one throw
  const value = later('value', prepare)
  return value === undefined ? key : Promise.all([key, value])
}

function later(field: Field, prepare: (field: Field) => Later): Promise<unknown> | undefined {
  const given: unknown = prepare(field)
  if (given === undefined || types.isPromise(given)) return given
  throw new TypeError(`${field}: its serde prepared ${shown(given)}, expected a promise or nothing`)
}
