import { spawnSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { runGit } from "../../test/git-remote.ts";
import { hasTool } from "../../test/tools.ts";
import { isCommitSignedBy, writeCommit } from "./commit.ts";
import { openObjects } from "./objects.ts";
import { isSignedBy, signSsh } from "./ssh-signature.ts";
import { readCommit } from "./tree.ts";

const dir = mkdtempSync(join(tmpdir(), "serin-sign-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const keyTypes: [string, string[]][] = [
  ["ed25519", ["-t", "ed25519"]],
  ["rsa", ["-t", "rsa", "-b", "2048"]],
  ["ecdsa-256", ["-t", "ecdsa", "-b", "256"]],
  ["ecdsa-384", ["-t", "ecdsa", "-b", "384"]],
  ["ecdsa-521", ["-t", "ecdsa", "-b", "521"]],
];

function keygen(...args: string[]): string {
  const { status, stderr, stdout } = spawnSync("ssh-keygen", args);
  if (status !== 0) throw new Error(`ssh-keygen ${args.join(" ")}: ${String(stderr)}`);
  return stdout.toString();
}

function aKey(name: string, args: readonly string[], passphrase = ""): { path: string; identity: string; pub: string } {
  const path = join(dir, `${name}${passphrase}`);
  rmSync(path, { force: true });
  keygen("-q", ...args, "-N", passphrase, "-C", "serin@example.test", "-f", path);
  return { path, identity: readFileSync(path, "utf8"), pub: readFileSync(`${path}.pub`, "utf8") };
}

const repository = join(dir, "repository");
runGit(["init", "-q", "-b", "main", repository]);
const author = { name: "Ada Lövelace", email: "ada@example.test" };
const time = "2026-01-31T12:00:00Z";

const hasKeygen = hasTool("ssh-keygen");

// Without ssh-keygen there are no keys to try.
describe.each(hasKeygen ? keyTypes : [])("%s", (name, args) => {
  const { path, identity, pub } = aKey(name, args);
  const git = (...words: string[]) =>
    runGit([
      "-C",
      repository,
      "-c",
      "gpg.format=ssh",
      "-c",
      `user.signingkey=${path}`,
      "-c",
      `gpg.ssh.allowedSignersFile=${dir}/allowed`,
      ...words,
    ]);
  writeFileSync(join(dir, "allowed"), "");

  test("git verifies what we sign, and so do we", () => {
    writeFileSync(join(dir, "allowed"), `serin@example.test namespaces="git" ${pub}`);
    const store = openObjects(join(repository, ".git"));
    const tree = store.write("tree", Buffer.alloc(0));
    const oid = writeCommit(store, { tree, parents: [], message: `signed by ${name}\n\nKörper ✓`, author, time, signingKey: identity });
    git("verify-commit", oid);
    git("fsck", "--strict", oid);
    expect(isCommitSignedBy(store, oid, pub)).toBe(true);
    expect(isCommitSignedBy(store, oid, identity)).toBe(true);
    expect(readCommit(store, oid).signature).toMatch(/^-----BEGIN SSH SIGNATURE-----\n[^]*\n-----END SSH SIGNATURE-----\n$/);
    store.close();
  });

  test("we verify what git signs, in any encoding, and not when a byte differs", () => {
    for (const encoding of ["UTF-8", "ISO-8859-1"]) {
      const message = Buffer.from("caf\u00e9", encoding === "UTF-8" ? "utf8" : "latin1");
      runGit(
        [
          "-C",
          repository,
          "-c",
          "gpg.format=ssh",
          "-c",
          `user.signingkey=${path}`,
          "-c",
          `i18n.commitEncoding=${encoding}`,
          "commit",
          "-q",
          "--allow-empty",
          "-S",
          "-F",
          "-",
        ],
        message,
      );
      const oid = git("rev-parse", "HEAD");
      const store = openObjects(join(repository, ".git"));
      expect(isCommitSignedBy(store, oid, pub)).toBe(true);
      expect(readCommit(store, oid).message).toBe("caf\u00e9\n");
      const forged = store.write("commit", Buffer.from(store.find(oid)!.bytes.toString("latin1").replace("\n\ncaf", "\n\nbar"), "latin1"));
      expect(isCommitSignedBy(store, forged, pub)).toBe(false);
      store.close();
    }
  });

  test("ssh-keygen verifies our signature of bytes, and only for the namespace git", () => {
    writeFileSync(join(dir, "payload"), "some bytes");
    writeFileSync(join(dir, "payload.sig"), signSsh(Buffer.from("some bytes"), identity));
    const verify = (namespace: string) =>
      spawnSync("ssh-keygen", ["-Y", "check-novalidate", "-n", namespace, "-s", join(dir, "payload.sig")], { input: "some bytes" }).status;
    expect(verify("git")).toBe(0);
    expect(verify("file")).not.toBe(0);
    rmSync(join(dir, "payload.sig"));
    keygen("-q", "-Y", "sign", "-n", "file", "-f", path, join(dir, "payload"));
    expect(isSignedBy(Buffer.from("some bytes"), readFileSync(join(dir, "payload.sig"), "utf8"), pub)).toBe(false);
    rmSync(join(dir, "payload.sig"));
    keygen("-q", "-Y", "sign", "-n", "git", "-f", path, join(dir, "payload"));
    expect(isSignedBy(Buffer.from("some bytes"), readFileSync(join(dir, "payload.sig"), "utf8"), pub)).toBe(true);
  });
});

test.skipIf(!hasKeygen)("another key, no signature and nonsense are not a good signature", () => {
  const [one, two] = [aKey("one", ["-t", "ed25519"]), aKey("two", ["-t", "ed25519"])];
  const signature = signSsh(Buffer.from("x"), one.identity);
  expect(isSignedBy(Buffer.from("x"), signature, one.pub)).toBe(true);
  expect(isSignedBy(Buffer.from("x"), signature, two.pub)).toBe(false);
  expect(isSignedBy(Buffer.from("y"), signature, one.pub)).toBe(false);
  expect(isSignedBy(Buffer.from("x"), "", one.pub)).toBe(false);
  expect(isSignedBy(Buffer.from("x"), signature.replace(/\n[^-]{40}/, "\nAAAA"), one.pub)).toBe(false);
  const store = openObjects(join(repository, ".git"));
  const tree = store.write("tree", Buffer.alloc(0));
  expect(isCommitSignedBy(store, writeCommit(store, { tree, parents: [], message: "m", author, time }), one.pub)).toBe(false);
  store.close();
});

test("PEM keys sign as well", () => {
  const { privateKey } = generateKeyPairSync("ed25519");
  const pem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  expect(isSignedBy(Buffer.from("x"), signSsh(Buffer.from("x"), pem), pem)).toBe(true);
});

const madeByKeygen: [string, () => string, RegExp][] = [
  ["a key with a passphrase", () => aKey("locked", ["-t", "ed25519"], "secret").identity, /passphrase.*ssh-keygen -p/],
  ["a damaged key", () => aKey("cut", ["-t", "ed25519"]).identity.replace(/\n.{20}/, "\nAAAA"), /cannot be read/],
];

test.each<[string, () => string, RegExp]>([
  ...(hasKeygen ? madeByKeygen : []),
  ["an encrypted PEM key", () => "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMII=\n-----END ENCRYPTED PRIVATE KEY-----", /passphrase/],
  ["something else", () => "hunter2", /not an SSH key/],
])("%s is refused with a way out and without the key itself", (_, key, message) => {
  const text = key();
  const error: unknown = (() => {
    try {
      return signSsh(Buffer.from("x"), text);
    } catch (caught) {
      return caught;
    }
  })();
  expect(error).toMatchObject({ name: "StalledError", reason: "InvalidSigningKey", message: expect.stringMatching(message) });
  expect((error as Error).message).not.toContain(text);
});
