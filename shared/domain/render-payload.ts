/** Bytes of one payload of `render-sandbox`, in either direction: 6 MB, Lambda's limit for a synchronous invocation. */
export const sandboxPayloadLimit = 6 * 1024 * 1024;
