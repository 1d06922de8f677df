import { z } from "zod";
import { playAll, type Summary } from "./play.ts";
import { type Cell, curves, degraded, healthy, late, type PlayerName, playerNames, players, slower, stressed } from "./scenarios.ts";

/** What the pages tell of one way of judging in one cell, as {@link Summary} has it. */
const figure = z.object({
  rolledBack: z.number(),
  cost: z.number(),
  secondsToRollBack: z.number().optional(),
  failedUntilRollBack: z.number().optional(),
  secondsToPromote: z.number().optional(),
});
export type Figure = Readonly<z.infer<typeof figure>>;

const figures = z.object({
  /** Rollouts of each cell; where nothing is wrong four times as many. */
  trials: z.number(),
  /** By cell, then by player. */
  cells: z.record(z.string(), z.record(z.string(), figure)),
});
/** A whole run, as it is stored beside the pages. */
export type Figures = Readonly<z.infer<typeof figures>>;

/** What was played, by cell and player. */
export type Results = (cell: Cell, player: PlayerName) => Figure;

const good = [...healthy, ...stressed].flatMap(({ cells }) => cells);
const bad = [...degraded, ...late, ...slower, ...curves.flatMap(({ cells }) => cells)];

/** Plays every cell by everybody; healthy releases four times as often. The same trials give the same figures on every machine. */
export function playFigures(trials: number, onProgress: (done: number, all: number) => void): Figures {
  const jobs = [...good.map((cell) => ({ cell, times: 4 })), ...bad.map((cell) => ({ cell, times: 1 }))];
  const cells: Figures["cells"] = {};
  for (const [index, { cell, times }] of jobs.entries()) {
    const options = { trials: trials * times, seed: seedOf(cell) };
    cells[cell.name] = Object.fromEntries(playerNames.map((name) => [name, told(playAll(cell.scenario, players[name], options))]));
    onProgress(index + 1, jobs.length);
  }
  return { trials, cells };
}

/** The same for everybody who plays the cell, so that all get the same pods, incidents and luck. */
function seedOf({ name }: Cell): number {
  return Buffer.from(name).reduce((hash, byte) => (Math.imul(hash, 31) + byte) | 0, 7);
}

function told({ rolledBack, cost, secondsToRollBack, failedUntilRollBack, secondsToPromote }: Summary): Figure {
  const all = { rolledBack, cost, secondsToRollBack, failedUntilRollBack, secondsToPromote };
  const known = Object.entries(all).filter((entry): entry is [string, number] => entry[1] !== undefined);
  return figure.parse(Object.fromEntries(known.map(([name, value]) => [name, Number(value.toPrecision(6))])));
}

/** A stored run; throws where it is none. */
export function parseFigures(text: string): Figures {
  return figures.parse(JSON.parse(text));
}

/** A run as it is stored: a line for each cell. */
export function storedFigures({ trials, cells }: Figures): string {
  const lines = Object.entries(cells).map(([name, players]) => `${JSON.stringify(name)}: ${JSON.stringify(players)}`);
  return `{ "trials": ${trials}, "cells": {\n${lines.join(",\n")}\n} }\n`;
}

/** Looks up what was played; throws for a cell that was not. */
export function resultsOf({ cells }: Figures): Results {
  return ({ name }, player) => {
    const found = cells[name]?.[player];
    if (!found) throw new Error(`${name} was not played by ${player}; run npm run bench:verdicts`);
    return found;
  };
}
