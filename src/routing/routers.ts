import type { RouterName } from "../api/canary.ts";
import { gatewayApi } from "./gateway-api.ts";
import { nginx } from "./nginx.ts";
import type { Router } from "./router.ts";

/** Routers by the names that users write in `spec.provider`. One more is one file, one line here and its name in the schema. */
export const routers = { "gatewayapi:v1": gatewayApi, nginx } satisfies Record<RouterName, Router>;
