import { expect, test } from "vitest";
import { flags, parseConfig } from "./config.ts";

test("an empty environment gives the defaults", () => {
  expect(parseConfig({})).toMatchObject({ port: 8080, logLevel: "info", clusterName: undefined, namespaces: undefined });
});

test("flags win over the environment, and an empty variable is none", () => {
  const config = parseConfig({ SERIN_CLUSTER_NAME: "prod-eu", SERIN_PORT: "9000", SERIN_METRICS_SERVER: "" }, { port: "9001" });
  expect(config).toMatchObject({ clusterName: "prod-eu", port: 9001, metricsServer: undefined });
});

test("namespaces are a list", () => {
  expect(parseConfig({ SERIN_NAMESPACES: "shop, cart," }).namespaces).toEqual(["shop", "cart"]);
});

test("every bad variable is named at once, with its flag", () => {
  const environment = { SERIN_PORT: "high", SERIN_CLUSTER_NAME: "Prod EU", SERIN_LISTEN_ADDRESS: "localhost" };
  expect(() => parseConfig(environment)).toThrow(/SERIN_CLUSTER_NAME \(--cluster-name\)[^]*SERIN_PORT \(--port\)[^]*must be an IP address/);
});

test("every flag says what it is for", () => {
  expect(flags.filter(({ description }) => description === "")).toEqual([]);
});
