import { describe, expect, test } from 'bun:test';
import { renderGenerations } from '../../../src/core/report/generations-report';
import { one, two } from '../../support/generations';

describe('generations', () => {
  test('are a table, with store paths where there are any', () => {
    expect(
      renderGenerations(
        { generations: [one, two], mounts: {}, tries: {} },
        { live: 10, default: 10, booted: 9 },
        'text',
      ),
    ).toBe(
      [
        'number  made                 format  overlay  paths  role           closure',
        String.raw`9       2026-01-02 03:04:05  tree    tree     3      booted         "/srv/a b\a"`,
        '10      2026-01-02 03:04:05  nixos   store    1234   live, default  /nix/store/0-x',
        '',
      ].join('\n'),
    );
  });

  test('on trial are marked', () => {
    const roles = { live: 9, default: 10, booted: 9 };
    const listing = { generations: [one, two], mounts: {}, tries: { 9: 0, 10: 2 } };
    const column = renderGenerations(listing, roles, 'text')
      .split('\n')
      .map((line) => line.slice(53, 86).trim());
    expect(column).toEqual(['role', 'live, booted, no tries left', 'default, on trial: 2 tries left', '']);
    const { generations } = JSON.parse(renderGenerations(listing, roles, 'json')) as { generations: object[] };
    expect(generations).toMatchObject([{ tries: 0 }, { tries: 2 }]);
  });

  test('that there are not are said to be', () => {
    const roles = { live: 0, default: 0, booted: undefined };
    expect(renderGenerations({ generations: [], mounts: {}, tries: {} }, roles, 'text')).toBe(
      'There are no generations: nothing is managed.\n',
    );
    expect(JSON.parse(renderGenerations({ generations: [], mounts: {}, tries: {} }, roles, 'json'))).toEqual({
      schema: 1,
      generations: [],
      live: 0,
      default: 0,
      booted: null,
    });
  });

  test('are a document', () => {
    expect(
      JSON.parse(
        renderGenerations(
          { generations: [one], mounts: {}, tries: {} },
          { live: 9, default: 0, booted: undefined },
          'json',
        ),
      ),
    ).toEqual({
      schema: 1,
      generations: [{ ...one, roles: ['live'] }],
      live: 9,
      default: 0,
      booted: null,
    });
  });
});
