/**
 * Marks a class that a file route exports by any name as one that answers requests: each of its methods answers the HTTP method it is named after, on a new instance for each request.
 * A class needs no mark when it is exported as `default` or `endpoint`; other exported classes are nothing to the API.
 *
 * @example export class Users extends HTTPEndpoint { get() { return tables.users.search() } }
 */
// oxlint-disable-next-line typescript/no-extraneous-class -- a member would be one that its classes have to override.
export abstract class HTTPEndpoint {}
