import type { KubeObject } from "../../api/object.ts";
import { ApiError, type FieldError } from "./api-error.ts";
import { builtinSchemas, objectMetaDefinition } from "./builtin-schemas.ts";
import { typesOf } from "./crds.ts";
import { conform } from "./decode.ts";
import { errorsOf } from "./validation/object.ts";
import { withDefaults } from "./writes.ts";

/** Says what is wrong with a new object. Empty: it would be stored. */
export type Admission = (value: Readonly<Record<string, unknown>>) => FieldError[];

/**
 * Judges objects of a CustomResourceDefinition as the API server does when it is told to be strict, without a server: unknown
 * fields, the schema, then its rules. By kind and version, as in `serin.dev/v1beta1`.
 */
export function admissionOf(crd: KubeObject): ReadonlyMap<string, Admission> {
  const types = typesOf(crd, builtinSchemas()(objectMetaDefinition));
  return new Map(
    types.map((type): [string, Admission] => [
      `${type.group}/${type.version}`,
      (given) => {
        // The status is not written at a creation, whatever it says.
        const value = { ...given, status: undefined };
        try {
          const { object, unknown } = conform(type, value, true);
          const why = "field not declared in schema";
          const strange = unknown.map((field): FieldError => ({ reason: "FieldValueNotFound", field, why }));
          return [...strange, ...errorsOf(type, withDefaults(type, object), undefined)];
        } catch (error) {
          // Metadata of the wrong form is told in one sentence, which names the field.
          if (error instanceof ApiError) return [{ reason: "FieldValueTypeInvalid", field: "metadata", why: error.message }];
          throw error;
        }
      },
    ]),
  );
}
