import manifest from "../package.json" with { type: "json" };

/** Which Serin this is, e.g. `0.1.0`: as package.json says, unless `npm run bundle -- --version-string` said otherwise. */
export const version: string = manifest.version;
