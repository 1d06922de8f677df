import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";

/** A certificate and its key, as PEM. */
export interface Pair {
  readonly cert: string;
  readonly key: string;
}

/** Something that signs certificates, and its own. */
export interface Authority extends Pair {
  /** A certificate for 127.0.0.1 with this common name, for servers and clients alike. */
  issue(commonName: string): Pair;
}

/** A new certificate authority. Keys are made for the run of the test, so that none is ever stored. */
export function certificateAuthority(commonName: string): Authority {
  const own = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const pair = (subject: string, keys: { publicKey: KeyObject; privateKey: KeyObject }, isAuthority: boolean): Pair => ({
    cert: pem(certificate({ subject, issuer: commonName, publicKey: keys.publicKey, isAuthority }, own.privateKey)),
    key: keys.privateKey.export({ type: "pkcs8", format: "pem" }) as string,
  });
  return { ...pair(commonName, own, true), issue: (subject) => pair(subject, generateKeyPairSync("ec", { namedCurve: "P-256" }), false) };
}

interface Subject {
  readonly subject: string;
  readonly issuer: string;
  readonly publicKey: KeyObject;
  readonly isAuthority: boolean;
}

// X.509 in DER (RFC 5280), as little of it as TLS needs.
const ecdsaWithSha256 = Buffer.from("300a06082a8648ce3d040302", "hex");
const commonNameId = Buffer.from("0603550403", "hex");
const basicConstraintsId = Buffer.from("0603551d13", "hex");
const alternativeNameId = Buffer.from("0603551d11", "hex");
const criticalTrue = Buffer.from("0101ff", "hex");

function certificate({ subject, issuer, publicKey, isAuthority }: Subject, signer: KeyObject): Buffer {
  const constraints = sequence(basicConstraintsId, criticalTrue, der(0x04, sequence(isAuthority ? criticalTrue : Buffer.alloc(0))));
  const alternatives = sequence(alternativeNameId, der(0x04, sequence(der(0x87, Buffer.of(127, 0, 0, 1)))));
  const body = sequence(
    der(0xa0, der(0x02, Buffer.of(2))),
    der(0x02, Buffer.from([1, ...crypto.getRandomValues(new Uint8Array(8))])),
    ecdsaWithSha256,
    name(issuer),
    sequence(der(0x18, Buffer.from("20200101000000Z")), der(0x18, Buffer.from("21200101000000Z"))),
    name(subject),
    publicKey.export({ type: "spki", format: "der" }),
    der(0xa3, sequence(constraints, alternatives)),
  );
  return sequence(body, ecdsaWithSha256, der(0x03, Buffer.concat([Buffer.of(0), sign("sha256", body, signer)])));
}

function name(commonName: string): Buffer {
  return sequence(der(0x31, sequence(commonNameId, der(0x0c, Buffer.from(commonName)))));
}

function sequence(...parts: Buffer[]): Buffer {
  return der(0x30, Buffer.concat(parts));
}

function der(tag: number, content: Buffer): Buffer {
  const { length } = content;
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

function pem(bytes: Buffer): string {
  return `-----BEGIN CERTIFICATE-----\n${bytes.toString("base64").replaceAll(/.{64}/g, "$&\n")}\n-----END CERTIFICATE-----\n`;
}
