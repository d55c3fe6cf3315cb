// Seed: what makes a random test repeatable. Each says its seed, and `SEED=7 node dist/...` runs it with that one again.

export const SEED = Number(process.env['SEED'] ?? Date.now() % 1_000_000)
