// UpdateFeatures: the level of each feature is fixed (KIP-584).
// Versions: 0-2
// Behaviour: an update to the level that the feature has succeeds, any other is refused, and with it all updates of the request.
// Not done: downgrades, which Apache Kafka allows for some features.

import {
  updateFeatures,
  type UpdateFeaturesRequest,
  type UpdateFeaturesResponse,
} from '../../protocol/api/57_update_features.ts'
import { errorCode, KafkaError } from '../../protocol/errors.ts'
import { levelOf } from '../features.ts'
import type { Handler } from '../handler.ts'

type FeatureUpdate = UpdateFeaturesRequest['featureUpdates'][number]

/** Upgrade, safe downgrade, unsafe downgrade. */
const upgradeTypes = [1, 2, 3]

export function updateFeaturesHandler(): Handler<typeof updateFeatures> {
  return {
    api: updateFeatures,
    async handle({ featureUpdates }, context) {
      const { work } = context
      context.requireOnCluster('Alter')
      try {
        await work.forEach(featureUpdates, checkUpdate)
      } catch (error) {
        if (!(error instanceof KafkaError)) throw error
        return refused(errorCode(error.code), error.message)
      }
      const results = await work.each(featureUpdates, ({ feature }) => {
        return { feature, errorCode: 0, errorMessage: 'NONE' }
      })
      return { errorCode: 0, results }
    },
    refuse: (_request, code) => refused(code, null),
  }
}

function refused(code: number, errorMessage: string | null): UpdateFeaturesResponse {
  return { errorCode: code, errorMessage }
}

/** @throws {KafkaError} INVALID_UPDATE_VERSION */
function checkUpdate({ feature, maxVersionLevel, upgradeType }: FeatureUpdate): void {
  const level = levelOf(feature)
  const name = feature.slice(0, 256)
  if (level === undefined) throw refusal(`there is no feature ${name} in this broker`)
  if (maxVersionLevel !== level)
    throw refusal(`${name} is ${level} in this broker, and cannot become ${maxVersionLevel}`)
  if (!upgradeTypes.includes(upgradeType)) throw refusal(`${name}: kind of update ${upgradeType}`)
}

function refusal(message: string): KafkaError {
  return new KafkaError('INVALID_UPDATE_VERSION', message)
}
