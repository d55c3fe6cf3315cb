// Preparation: lets serdes look something up before they read or write a record. Serdes without look-ups cost nothing
// here.

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

/** @returns undefined when nothing has to be looked up. @throws the error of a serde */
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
  mute(key) // in case the other field's serde throws
  const value = later('value', prepare)
  return value === undefined ? key : Promise.all([key, value])
}

function later(field: Field, prepare: (field: Field) => Later): Promise<unknown> | undefined {
  const given: unknown = prepare(field)
  if (given === undefined || types.isPromise(given)) return given
  throw new TypeError(`${field}: its serde prepared ${shown(given)}, expected a promise or nothing`)
}
