import { z } from "zod";

/** The conditions that Kubernetes writes into the status of workloads and pods. */
export const conditions = z
  .array(
    z.object({
      type: z.string(),
      status: z.string(),
      reason: z.string().default(""),
      message: z.string().default(""),
      lastTransitionTime: z.string().optional(),
    }),
  )
  .default([]);
