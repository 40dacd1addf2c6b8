/** What the name of a header is, and other words of HTTP (RFC 9110, 5.6.2). */
export const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
