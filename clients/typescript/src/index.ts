export { backend, type BackendKey } from "./backend.js";
export { pages, type Bundle } from "./paging.js";
export { recoveryClient, type RecoveryClient, type Resource } from "./client.js";
export { begin, finish, type SignIn, type TokenAnswer } from "./sign-in.js";
export type { components, operations, paths } from "./schema.js";
