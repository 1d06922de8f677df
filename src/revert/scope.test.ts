import { describe, expect, test } from "vitest";
import { type Selection, smallestPart } from "./scope.ts";

/** Undoes the cause when every needed piece is selected and no piece that conflicts is. */
function attempt(needed: string[], conflicting: string[] = []) {
  return async (selection: readonly Selection[]) => {
    const has = (piece: string) => {
      const [path = "", hunk] = piece.split("#");
      return selection.some(
        (file) => file.path === path && (hunk === undefined || file.hunks === undefined || file.hunks.includes(Number(hunk))),
      );
    };
    return needed.every(has) && !conflicting.some(has) ? "undone" : undefined;
  };
}

const parts = [
  { path: "shop.yaml", hunks: 3 },
  { path: "cart.yaml", hunks: 1 },
  { path: "logo.png", hunks: 0 },
];

describe("rule 5: what goes and what stays", () => {
  test.each<[string, string[], string[], Selection[] | undefined]>([
    ["only the hunk that undoes the cause goes", ["shop.yaml#1"], [], [{ path: "shop.yaml", hunks: [1] }]],
    ["two hunks of one file", ["shop.yaml#0", "shop.yaml#2"], [], [{ path: "shop.yaml", hunks: [0, 2] }]],
    ["two files", ["shop.yaml#1", "cart.yaml"], [], [{ path: "shop.yaml", hunks: [1] }, { path: "cart.yaml" }]],
    ["a whole file that cannot be parted", ["logo.png"], [], [{ path: "logo.png" }]],
    ["a conflict in another file does not stand in the way", ["shop.yaml#1"], ["cart.yaml"], [{ path: "shop.yaml", hunks: [1] }]],
    ["a conflict in another hunk of the file does not stand in the way", ["shop.yaml#1"], ["shop.yaml#2"], [{ path: "shop.yaml", hunks: [1] }]],
    ["nothing undoes the cause", ["shop.yaml#1"], ["shop.yaml#1"], undefined],
  ])("%s", async (...[, needed, conflicting, want]) => {
    expect(await smallestPart(parts, attempt(needed, conflicting))).toEqual(want && { selection: want, result: "undone" });
  });

  test.each<[number, Selection[] | undefined]>([
    [200, [{ path: "big.yaml", hunks: [7] }]],
    [201, undefined],
  ])("of a file of %i hunks that conflicts as a whole", async (hunks, want) => {
    const all = Array.from({ length: hunks }, (_, hunk) => `big.yaml#${hunk}`);
    const conflicting = all.filter((piece) => piece !== "big.yaml#7");
    const found = await smallestPart([{ path: "big.yaml", hunks }], attempt(["big.yaml#7"], conflicting));
    expect(found).toEqual(want && { selection: want, result: "undone" });
  });
});
