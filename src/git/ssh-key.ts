import { createPrivateKey, createPublicKey, type KeyObject, type webcrypto } from "node:crypto";
import { StalledError } from "../lib/errors.ts";

/** A key of the kinds that sign commits. */
export interface SshKey {
  readonly type: "ssh-ed25519" | "ssh-rsa" | "ecdsa-sha2-nistp256" | "ecdsa-sha2-nistp384" | "ecdsa-sha2-nistp521";
  /** The public key as SSH writes it; equal bytes, equal key. */
  readonly blob: Buffer;
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject | undefined;
}

type JsonWebKey = webcrypto.JsonWebKey;

const curves: Readonly<Record<string, string>> = { nistp256: "P-256", nistp384: "P-384", nistp521: "P-521" };
const magic = "openssh-key-v1\0";

/**
 * Reads an OpenSSH private key (`-----BEGIN OPENSSH PRIVATE KEY-----`), a PEM private key or a public key (`ssh-ed25519 AAAA…`).
 * Throws StalledError `InvalidSigningKey` for encrypted keys and for anything else.
 */
export function parseSshKey(text: string): SshKey {
  try {
    const trimmed = text.trim();
    if (trimmed.startsWith("-----BEGIN OPENSSH PRIVATE KEY-----")) return parseOpenSsh(unarmour(trimmed));
    if (trimmed.startsWith("-----BEGIN ")) return fromPem(trimmed);
    const [, blob] = /(?:^|\s)(?:ssh-|ecdsa-)\S+\s+([A-Za-z0-9+/=]+)/.exec(trimmed) ?? [];
    if (blob !== undefined) return parsePublicBlob(Buffer.from(blob, "base64"));
  } catch (error) {
    if (error instanceof StalledError) throw error;
    throw invalid("the SSH key cannot be read; give an unencrypted OpenSSH private key (ssh-keygen -t ed25519 -N '')", error);
  }
  throw invalid("this is not an SSH key; give an unencrypted OpenSSH private key (ssh-keygen -t ed25519 -N '')");
}

function invalid(message: string, cause?: unknown): StalledError {
  return new StalledError("InvalidSigningKey", message, cause === undefined ? undefined : { cause });
}

function unarmour(text: string): Buffer {
  return Buffer.from(text.replace(/-----[A-Z ]+-----/g, "").replace(/\s/g, ""), "base64");
}

function fromPem(pem: string): SshKey {
  if (/ENCRYPTED/.test(pem)) throw encrypted();
  return fromPrivate(createPrivateKey(pem));
}

function encrypted(): StalledError {
  return invalid("the SSH key is protected by a passphrase; give one without (ssh-keygen -p -N '' -f KEY)");
}

function fromPrivate(privateKey: KeyObject): SshKey {
  return { ...parsePublicBlob(publicBlob(privateKey.export({ format: "jwk" }))), privateKey };
}

function parseOpenSsh(bytes: Buffer): SshKey {
  if (bytes.toString("latin1", 0, magic.length) !== magic) throw invalid("the SSH key cannot be read: it is not in OpenSSH's format");
  const outer = wireReader(bytes.subarray(magic.length));
  const cipher = outer.text();
  if (cipher !== "none") throw encrypted();
  outer.bytes(); // kdf name
  outer.bytes(); // kdf options
  if (outer.uint32() !== 1) throw invalid("the SSH key file holds more than one key");
  outer.bytes(); // public key, repeated below
  const inner = wireReader(outer.bytes());
  if (inner.uint32() !== inner.uint32()) throw invalid("the SSH key is damaged");
  return fromPrivate(createPrivateKey({ format: "jwk", key: privateJwk(inner) }));
}

function privateJwk(reader: WireReader): JsonWebKey {
  const type = reader.text();
  if (type === "ssh-ed25519") {
    const x = reader.bytes();
    return { kty: "OKP", crv: "Ed25519", x: base64url(x), d: base64url(reader.bytes().subarray(0, 32)) };
  }
  if (type === "ssh-rsa") return privateRsa(reader);
  if (type.startsWith("ecdsa-sha2-")) {
    const curve = reader.text();
    const point = pointOf(curve, reader.bytes());
    return { ...point, d: base64url(padded(unsigned(reader.bytes()), fieldBytes(curve))) };
  }
  throw invalid(`SSH keys of type ${type} cannot sign commits; use ed25519, ecdsa or rsa`);
}

function privateRsa(reader: WireReader): JsonWebKey {
  const [n, e, d, qi, p, q] = Array.from({ length: 6 }, () => unsigned(reader.bytes()));
  if (!n || !e || !d || !qi || !p || !q) throw invalid("the SSH key is damaged");
  const remainder = (prime: Buffer) => base64url(fromBigInt(toBigInt(d) % (toBigInt(prime) - 1n)));
  const names = { n, e, d, p, q, qi };
  const fields = Object.fromEntries(Object.entries(names).map(([name, value]) => [name, base64url(value)]));
  return { kty: "RSA", ...fields, dp: remainder(p), dq: remainder(q) };
}

/** Reads a public key as SSH writes it. Throws StalledError for other types. */
export function parsePublicBlob(blob: Buffer): SshKey {
  const reader = wireReader(blob);
  const type = reader.text();
  const key = (jwk: JsonWebKey) => createPublicKey({ format: "jwk", key: jwk });
  if (type === "ssh-ed25519")
    return { type, blob, privateKey: undefined, publicKey: key({ kty: "OKP", crv: "Ed25519", x: base64url(reader.bytes()) }) };
  if (type === "ssh-rsa") {
    const e = base64url(unsigned(reader.bytes()));
    return { type, blob, privateKey: undefined, publicKey: key({ kty: "RSA", e, n: base64url(unsigned(reader.bytes())) }) };
  }
  if (type === "ecdsa-sha2-nistp256" || type === "ecdsa-sha2-nistp384" || type === "ecdsa-sha2-nistp521") {
    const curve = reader.text();
    if (type !== `ecdsa-sha2-${curve}`) throw invalid("the SSH key is damaged");
    return { type, blob, privateKey: undefined, publicKey: key(pointOf(curve, reader.bytes())) };
  }
  throw invalid(`SSH keys of type ${type.slice(0, 40)} cannot sign commits; use ed25519, ecdsa or rsa`);
}

function publicBlob(jwk: JsonWebKey): Buffer {
  const field = (name: "x" | "y" | "n" | "e") => Buffer.from(String(jwk[name] ?? ""), "base64url");
  if (jwk.kty === "OKP" && jwk.crv === "Ed25519") return Buffer.concat([wire("ssh-ed25519"), wire(field("x"))]);
  if (jwk.kty === "RSA") return Buffer.concat([wire("ssh-rsa"), wire(signed(field("e"))), wire(signed(field("n")))]);
  const curve = Object.keys(curves).find((name) => curves[name] === jwk.crv);
  if (curve === undefined) throw invalid("the key is of a type that cannot sign commits; use ed25519, ecdsa or rsa");
  return Buffer.concat([wire(`ecdsa-sha2-${curve}`), wire(curve), wire(Buffer.concat([Buffer.from([4]), field("x"), field("y")]))]);
}

function pointOf(curve: string, point: Buffer): JsonWebKey {
  const crv = curves[curve];
  const half = (point.length - 1) / 2;
  if (crv === undefined || point[0] !== 4 || half !== fieldBytes(curve)) throw invalid("the SSH key is damaged");
  return { kty: "EC", crv, x: base64url(point.subarray(1, 1 + half)), y: base64url(point.subarray(1 + half)) };
}

/** Bytes of one coordinate on a curve. */
export function fieldBytes(curve: string): number {
  return curve === "nistp521" ? 66 : curve === "nistp384" ? 48 : 32;
}

/** Reads what SSH writes: lengths before bytes. Throws when there is less than stated. */
interface WireReader {
  uint32(): number;
  bytes(): Buffer;
  text(): string;
}

/** A reader at the beginning of these bytes. */
export function wireReader(source: Buffer): WireReader {
  let at = 0;
  const take = (length: number) => {
    if (at + length > source.length) throw new RangeError("cut off");
    at += length;
    return source.subarray(at - length, at);
  };
  const uint32 = () => take(4).readUInt32BE(0);
  const bytes = () => take(uint32());
  return { uint32, bytes, text: () => bytes().toString("latin1") };
}

/** Bytes with their length before them. */
export function wire(value: string | Buffer): Buffer {
  const bytes = Buffer.from(value);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

/** A number without the zero that keeps it positive. */
export function unsigned(bytes: Buffer): Buffer {
  let from = 0;
  while (from < bytes.length - 1 && bytes[from] === 0) from++;
  return bytes.subarray(from);
}

/** A number with the zero that keeps it positive, where it needs one. */
export function signed(bytes: Buffer): Buffer {
  const short = unsigned(bytes);
  return (short[0] ?? 0) & 0x80 ? Buffer.concat([Buffer.from([0]), short]) : short;
}

/** A number at its full width. */
export function padded(bytes: Buffer, length: number): Buffer {
  return Buffer.concat([Buffer.alloc(Math.max(0, length - bytes.length)), bytes]);
}

function base64url(bytes: Buffer): string {
  return bytes.toString("base64url");
}

function toBigInt(bytes: Buffer): bigint {
  return BigInt(`0x${bytes.toString("hex")}`);
}

function fromBigInt(value: bigint): Buffer {
  const hex = value.toString(16);
  return Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, "hex");
}
