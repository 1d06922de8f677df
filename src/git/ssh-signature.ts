import { createHash, sign, verify } from "node:crypto";
import { fieldBytes, padded, parsePublicBlob, parseSshKey, signed, type SshKey, unsigned, wire, wireReader } from "./ssh-key.ts";

const begin = "-----BEGIN SSH SIGNATURE-----";
const end = "-----END SSH SIGNATURE-----";
const namespace = "git";
const hashes = new Set(["sha256", "sha512"]);
const ecdsaHash: Readonly<Record<number, string>> = { 32: "sha256", 48: "sha384", 66: "sha512" };

/** Signs bytes as `ssh-keygen -Y sign -n git` does. Throws StalledError for keys that cannot sign. */
export function signSsh(payload: Uint8Array, privateKey: string): string {
  const key = parseSshKey(privateKey);
  const data = signedData(payload, "sha512");
  const body = Buffer.concat([
    Buffer.from("SSHSIG"),
    Buffer.from([0, 0, 0, 1]),
    wire(key.blob),
    wire(namespace),
    wire(""),
    wire("sha512"),
    wire(signatureBlob(key, data)),
  ]);
  const lines = body.toString("base64").match(/.{1,70}/g) ?? [];
  return `${begin}\n${lines.join("\n")}\n${end}\n`;
}

function signedData(payload: Uint8Array, hash: string): Buffer {
  return Buffer.concat([Buffer.from("SSHSIG"), wire(namespace), wire(""), wire(hash), wire(createHash(hash).update(payload).digest())]);
}

function signatureBlob(key: SshKey, data: Buffer): Buffer {
  if (!key.privateKey) throw new TypeError("a public key cannot sign");
  if (key.type === "ssh-ed25519") return Buffer.concat([wire(key.type), wire(sign(null, data, key.privateKey))]);
  if (key.type === "ssh-rsa") return Buffer.concat([wire("rsa-sha2-512"), wire(sign("sha512", data, key.privateKey))]);
  const width = fieldBytes(key.type.slice("ecdsa-sha2-".length));
  const raw = sign(ecdsaHash[width], data, { key: key.privateKey, dsaEncoding: "ieee-p1363" });
  return Buffer.concat([wire(key.type), wire(Buffer.concat([wire(signed(raw.subarray(0, width))), wire(signed(raw.subarray(width)))]))]);
}

/**
 * Whether the armoured signature is a good one of these bytes, made by exactly this key (private or public) for the namespace
 * `git` with SHA-256 or SHA-512. Anything malformed is simply not good.
 */
export function isSignedBy(payload: Uint8Array, armoured: string, key: string): boolean {
  const trusted = parseSshKey(key).blob;
  try {
    return isGood(payload, armoured, trusted);
  } catch {
    return false;
  }
}

function isGood(payload: Uint8Array, armoured: string, trusted: Buffer): boolean {
  const from = armoured.indexOf(begin);
  const to = armoured.indexOf(end);
  if (from < 0 || to < from) return false;
  const body = Buffer.from(armoured.slice(from + begin.length, to).replace(/\s/g, ""), "base64");
  if (body.toString("latin1", 0, 6) !== "SSHSIG" || body.readUInt32BE(6) !== 1) return false;
  const reader = wireReader(body.subarray(10));
  const blob = reader.bytes();
  const space = reader.text();
  const reserved = reader.bytes();
  const hash = reader.text();
  if (!blob.equals(trusted) || space !== namespace || reserved.length > 0 || !hashes.has(hash)) return false;
  const signature = wireReader(reader.bytes());
  return verifies(parsePublicBlob(blob), signedData(payload, hash), { algorithm: signature.text(), value: signature.bytes() });
}

function verifies(key: SshKey, data: Buffer, { algorithm, value }: { algorithm: string; value: Buffer }): boolean {
  if (key.type === "ssh-ed25519") return algorithm === key.type && verify(null, data, key.publicKey, value);
  if (key.type === "ssh-rsa") {
    return (
      (algorithm === "rsa-sha2-256" || algorithm === "rsa-sha2-512") && verify(`sha${algorithm.slice(-3)}`, data, key.publicKey, value)
    );
  }
  if (algorithm !== key.type) return false;
  const width = fieldBytes(key.type.slice("ecdsa-sha2-".length));
  const parts = wireReader(value);
  const raw = Buffer.concat([padded(unsigned(parts.bytes()), width), padded(unsigned(parts.bytes()), width)]);
  return verify(ecdsaHash[width], data, { key: key.publicKey, dsaEncoding: "ieee-p1363" }, raw);
}
