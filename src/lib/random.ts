/** A stream of chance that is the same for the same seed, on every machine. */
export interface Random {
  /** Uniform, above 0 and below 1. */
  uniform(): number;
  normal(): number;
  poisson(mean: number): number;
  binomial(count: number, probability: number): number;
  /** Mean `shape` · `scale`. */
  gamma(shape: number, scale: number): number;
}

/** Chance by the 32-bit generator sfc32, seeded with any whole numbers. */
export function random(...seeds: readonly number[]): Random {
  const uniform = sfc32(seeds);
  const normal = (): number => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  const gamma = (shape: number, scale: number): number => gammaOf(shape, { uniform, normal }) * scale;
  return {
    uniform,
    normal,
    gamma,
    poisson: (mean) => (mean < 30 ? smallPoisson(mean, uniform) : largePoisson(mean, uniform)),
    binomial: (count, probability) => binomialOf(count, probability, uniform),
  };
}

function sfc32(seeds: readonly number[]): () => number {
  let [a, b, c, counter] = [0x9e3779b9, 0x243f6a88, 0xb7e15162, 1];
  const next = (): number => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum;
    c |= 0;
    return sum >>> 0;
  };
  for (const seed of seeds) {
    a ^= seed | 0;
    for (let round = 0; round < 16; round++) next();
  }
  return () => (next() + 0.5) / 2 ** 32;
}

/** Counts how many uniform factors fit above e^−mean. */
function smallPoisson(mean: number, uniform: () => number): number {
  if (mean <= 0) return 0;
  const limit = Math.exp(-mean);
  let [count, product] = [0, uniform()];
  while (product > limit) {
    product *= uniform();
    count++;
  }
  return count;
}

/** Hörmann's transformed rejection with squeeze, "The transformed rejection method for generating Poisson random variables" (1993). */
function largePoisson(mean: number, uniform: () => number): number {
  const b = 0.931 + 2.53 * Math.sqrt(mean);
  const a = -0.059 + 0.02483 * b;
  const inverseAlpha = 1.1239 + 1.1328 / (b - 3.4);
  const squeeze = 0.9277 - 3.6224 / (b - 2);
  for (;;) {
    const u = uniform() - 0.5;
    const v = uniform();
    const us = 0.5 - Math.abs(u);
    const k = Math.floor(((2 * a) / us + b) * u + mean + 0.43);
    if (us >= 0.07 && v <= squeeze) return k;
    if (k < 0 || (us < 0.013 && v > us)) continue;
    if (Math.log((v * inverseAlpha) / (a / (us * us) + b)) <= k * Math.log(mean) - mean - logFactorial(k)) return k;
  }
}

function binomialOf(count: number, probability: number, uniform: () => number): number {
  if (count <= 0 || probability <= 0) return 0;
  if (probability >= 1) return count;
  if (probability > 0.5) return count - binomialOf(count, 1 - probability, uniform);
  return count * probability < 10 ? smallBinomial(count, probability, uniform) : largeBinomial(count, probability, uniform);
}

/** Walks up the distribution from zero. */
function smallBinomial(count: number, probability: number, uniform: () => number): number {
  const odds = probability / (1 - probability);
  let chance = Math.exp(count * Math.log1p(-probability));
  let left = uniform();
  let successes = 0;
  while (left > chance && successes < count) {
    left -= chance;
    successes++;
    chance *= (odds * (count - successes + 1)) / successes;
  }
  return successes;
}

/** Hörmann's transformed rejection, "The generation of binomial random variates" (1993). */
function largeBinomial(count: number, probability: number, uniform: () => number): number {
  const spread = Math.sqrt(count * probability * (1 - probability));
  const b = 1.15 + 2.53 * spread;
  const a = -0.0873 + 0.0248 * b + 0.01 * probability;
  const c = count * probability + 0.5;
  const squeeze = 0.92 - 4.2 / b;
  const alpha = (2.83 + 5.1 / b) * spread;
  const odds = Math.log(probability / (1 - probability));
  const mode = Math.floor((count + 1) * probability);
  const height = logFactorial(mode) + logFactorial(count - mode);
  for (;;) {
    const u = uniform() - 0.5;
    const v = uniform();
    const us = 0.5 - Math.abs(u);
    const k = Math.floor(((2 * a) / us + b) * u + c);
    if (k < 0 || k > count) continue;
    if (us >= 0.07 && v <= squeeze) return k;
    const accept = height - logFactorial(k) - logFactorial(count - k) + (k - mode) * odds;
    if (Math.log((v * alpha) / (a / (us * us) + b)) <= accept) return k;
  }
}

/** ln k!, by Stirling's series above a few. */
function logFactorial(k: number): number {
  if (k < 10) return Math.log(smallFactorials[k] ?? 1);
  const x = k + 1;
  return (x - 0.5) * Math.log(x) - x + 0.5 * Math.log(2 * Math.PI) + 1 / (12 * x) - 1 / (360 * x ** 3) + 1 / (1260 * x ** 5);
}

const smallFactorials: readonly number[] = [1, 1, 2, 6, 24, 120, 720, 5_040, 40_320, 362_880];

/** Marsaglia and Tsang, "A simple method for generating gamma variables" (2000). */
function gammaOf(shape: number, chance: Pick<Random, "uniform" | "normal">): number {
  if (shape < 1) return gammaOf(shape + 1, chance) * chance.uniform() ** (1 / shape);
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = chance.normal();
    const v = (1 + c * x) ** 3;
    if (v > 0 && Math.log(chance.uniform()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v;
  }
}
