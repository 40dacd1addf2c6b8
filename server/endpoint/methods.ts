/** The methods that endpoints usually answer, in the order in which `Allow` lists them. Any other that HTTP knows is possible. */
export const usualMethods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS'] as const
