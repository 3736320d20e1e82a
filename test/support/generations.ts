import type { Generation } from '../../src/core/records/generation';
import { path } from './entries';

/** A generation of a tree; its closure has a hostile name. */
export const one: Generation = {
  number: 9,
  closure: '/srv/a b\u0007',
  format: 'tree',
  overlay: path('/var/lib/activate/generations/9/tree'),
  carrier: { kind: 'tree' },
  resident: false,
  digest: 'd',
  rules: [],
  paths: 3,
  created: '2026-01-02T03:04:05.678Z',
  version: '0.1.0',
};
/** A generation of a closure in a store. */
export const two: Generation = {
  ...one,
  number: 10,
  closure: '/result',
  carrier: { kind: 'store', path: path('/nix/store/0-x') },
  format: 'nixos',
  paths: 1234,
};
