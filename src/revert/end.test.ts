import { describe, expect, test } from "vitest";
import { endOf, type Standing } from "./end.ts";

const standing = (over: Partial<Standing> = {}): Standing => ({
  atHead: "failed",
  proposal: "open",
  branchIsOurs: true,
  deleted: false,
  reopened: false,
  ...over,
});

describe("rule 7: how it ends", () => {
  test.each<[string, Partial<Standing>, string]>([
    ["merged by button", { atHead: "promoted", proposal: "merged" }, "Merged"],
    ["put right by hand while the pull request is open", { atHead: "promoted", proposal: "open" }, "Merged"],
    ["put right by hand while the host is down", { atHead: "promoted", proposal: "unknown" }, "Merged"],
    ["put right by hand and deleted", { atHead: "promoted", deleted: true }, "Merged"],
    ["a fix came", { atHead: "third" }, "Superseded"],
    ["a fix came before anything was proposed", { atHead: "third", proposal: "none" }, "Superseded"],
    ["a person closed it", { proposal: "closedByPerson" }, "Declined"],
    ["a person closed it, but the branch is someone else's", { proposal: "closedByPerson", branchIsOurs: false }, "stay"],
    ["a person deleted the Revert", { deleted: true, proposal: "none" }, "Declined"],
    ["a person deleted the Revert while Git is down", { deleted: true, atHead: "unknown", proposal: "unknown" }, "Declined"],
    ["a bot closed it", { proposal: "closedByBot" }, "reopen"],
    ["a bot closed it again", { proposal: "closedByBot", reopened: true }, "branchDeleted"],
    ["its branch is missing", { proposal: "branchMissing" }, "reopen"],
    ["its branch is missing again", { proposal: "branchMissing", reopened: true }, "branchDeleted"],
    ["it is open", {}, "stay"],
    ["nothing is proposed yet", { proposal: "none" }, "stay"],
    ["it was merged, but what is merged has not been fetched yet", { proposal: "merged" }, "stay"],
    ["it was merged, and a later commit brought the values back", { proposal: "undone" }, "Merged"],
    ["it was merged, and a later commit says that it reverts that", { proposal: "reapplied" }, "Declined"],
    ["it was merged and undone, and a person deleted it", { proposal: "undone", deleted: true }, "Declined"],
    ["the host does not answer", { proposal: "unknown" }, "stay"],
    ["Git does not answer", { atHead: "unknown", proposal: "closedByPerson" }, "stay"],
  ])("%s: %o → %s", (_, over, want) => {
    const end = endOf(standing(over));
    expect(end.do === "end" ? end.phase : end.do).toBe(want);
  });
});
