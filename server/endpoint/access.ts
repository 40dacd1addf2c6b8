/**
 * Who has to be known before an endpoint is asked: a user; a user or nobody, but nobody with wrong credentials (`'optional'`); whoever shows some credentials, which its handler judges;
 * nobody, in which case nothing is looked at.
 */
export type Access = 'user' | 'optional' | 'credentials' | 'nobody'
