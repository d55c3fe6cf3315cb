// Starting: from spawn to the first answer, and the costs of an idle server.

import { setTimeout } from 'node:timers/promises'
import type { Case } from '../case.ts'
import { kafka } from '../kafka.ts'
import { MIB } from '../measuring.ts'
import { millrace } from '../millrace.ts'
import { nats } from '../nats.ts'
import { redis } from '../redis.ts'

const IDLE_SECONDS = 5
const settings = [millrace, kafka, nats, redis]

export const startupCases: Case[] = [
  {
    name: 'startup',
    title: 'from spawn to the first answer: with a new directory, and with the same one again',
    settings,
    metrics: [
      { name: 'new', unit: 'ms', better: 'less' },
      { name: 'again', unit: 'ms', better: 'less' },
    ],
    ratios: ['new', 'again'].map((metric) => ({
      metric,
      of: millrace,
      to: kafka,
      atMost: Number((1 / 15).toPrecision(3)),
    })),
    async measure({ kind }, world) {
      const dir = world.emptyDir()
      const readyMs = async () => {
        await using peer = await kind.start(dir)
        return peer.readyMs
      }
      return { new: await readyMs(), again: await readyMs() }
    },
  },
  {
    name: 'idle',
    title: `without work or clients, for ${IDLE_SECONDS} s after the start`,
    settings,
    metrics: [
      { name: 'RSS', unit: 'MiB', better: 'less' },
      { name: 'CPU', unit: 'cores', better: 'less' },
    ],
    ratios: [{ metric: 'RSS', of: millrace, to: kafka, atMost: 0.2 }],
    async measure({ kind }, world) {
      await using peer = await kind.start(world.emptyDir())
      const before = peer.usage()
      await setTimeout(IDLE_SECONDS * 1000)
      const { rssBytes, cpuSeconds } = peer.usage()
      return { RSS: rssBytes / MIB, CPU: (cpuSeconds - before.cpuSeconds) / IDLE_SECONDS }
    },
  },
]
