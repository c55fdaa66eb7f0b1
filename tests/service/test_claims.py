"""Who works on which run: the rules, and a simulation of replicas that die, freeze, wake and come."""

import random

import pytest

from canary_analyzer.cluster.leases import GIVEN_UP
from canary_analyzer.service.claims import FENCE, LOST, RENEW, Claims, owner

KEYS = [("shop", f"app-{number}") for number in range(12)]
LEASE = 10.0
STEP = 0.1


def test_one_who_goes_leaves_its_runs_to_the_others_and_no_other_run_moves():
    before = {key: owner(key, {"a", "b", "c"}) for key in KEYS}
    after = {key: owner(key, {"a", "c"}) for key in KEYS}
    assert {after[key] for key in KEYS if before[key] == "b"} == {"a", "c"}
    assert all(after[key] == before[key] for key in KEYS if before[key] != "b")


def test_runs_are_spread_evenly():
    keys = [("shop", f"app-{number}") for number in range(3000)]
    owners = [owner(key, {"a", "b", "c"}) for key in keys]
    assert all(900 < owners.count(name) < 1100 for name in "abc")


def test_one_who_finds_itself_alone_works_at_once():
    claims = Claims(me="a", lease_seconds=LEASE, announced=1.0).after_round({"a": "1"}, began=1.0, now=1.1)
    assert claims.owns(KEYS[0], 1.2)


def test_one_who_finds_others_waits_until_each_of_them_has_seen_it_or_is_fenced():
    claims = Claims(me="a", lease_seconds=LEASE, announced=1.0)
    for round_ in range(4):
        claims = claims.after_round({"a": str(round_), "b": str(round_)}, began=1.0 + 2 * round_, now=1.1 + 2 * round_)
        assert claims.is_working(1.1 + 2 * round_) is (0.1 + 2 * round_ >= FENCE * LEASE)


def test_nothing_is_owned_when_the_last_round_is_too_long_ago():
    claims = Claims(me="a", lease_seconds=LEASE, announced=1.0).after_round({"a": "1"}, began=1.0, now=1.1)
    assert claims.owns(KEYS[0], 1.0 + FENCE * LEASE - 0.01)
    assert not claims.owns(KEYS[0], 1.0 + FENCE * LEASE)


def test_the_next_round_comes_sooner_where_it_can_find_another_lost_or_work_begins():
    claims = Claims(me="a", lease_seconds=LEASE, announced=0.5)
    dues = []
    for began in (1.0, 3.0, 5.0, 7.0, 8.2):
        claims = claims.after_round({"a": str(began), "b": "1"}, began=began, now=began + 0.1)
        dues.append(claims.next_round(began))
    assert dues == pytest.approx([3.0, 5.0, 0.5 + FENCE * LEASE, 1.1 + LOST * LEASE, 8.2 + RENEW * LEASE])
    assert claims.members == {"a"}


def test_a_lease_that_was_left_behind_is_named_when_nobody_can_count_on_it_any_more():
    claims = Claims(me="a", lease_seconds=LEASE, announced=0.5)
    for began in range(1, 120, 2):
        claims = claims.after_round({"a": str(began), "b": "1"}, began=began, now=began + 0.1)
    assert claims.left_behind == {"b"}
    assert claims.members == {"a"}


def beside(listed, seconds):
    """Return the claims of "a" after rounds of some seconds in which it saw "b" as listed then."""
    claims = Claims(me="a", lease_seconds=LEASE, announced=1.0)
    for round_, b in enumerate(("1", *[listed] * int(seconds / 2))):
        claims = claims.after_round({"a": str(round_)} | b_s(b), began=1.0 + 2 * round_, now=1.1 + 2 * round_)
    return claims


def b_s(version):
    return {} if version is None else {"b": version}


def test_one_that_gave_its_lease_up_is_not_counted_on_any_more_gone_or_not():
    assert beside(GIVEN_UP, 2).members == {"a"}
    after = beside(GIVEN_UP, 2).after_round({"a": "9"}, began=5.0, now=5.1)
    assert after.members == {"a"}
    assert not beside(GIVEN_UP, 2).left_behind, "others may not have seen it yet"
    assert beside(GIVEN_UP, LOST * LEASE + 4).left_behind == {"b"}


def test_one_whose_lease_is_gone_without_a_word_counts_until_it_must_have_been_fenced():
    assert beside(None, FENCE * LEASE).members == {"a", "b"}
    assert beside(None, LOST * LEASE + 4).members == {"a"}
    assert not beside(None, LOST * LEASE + 6).left_behind


class World:
    """Replicas whose rounds take time, fail and stop, on clocks that have nothing in common; Leases all can see."""

    def __init__(self, seed, replicas, trouble=0.05):
        self.random, self.trouble = random.Random(seed), trouble
        self.now, self.version, self.born = 0.0, 0, 0
        self.leases, self.replicas = {}, []
        for _ in range(replicas):
            self.come()

    def come(self):
        self.born += 1
        self.replicas.append(Replica(self, f"r{self.born}", self.random.uniform(0, 1e6)))

    def write(self, name):
        self.version += 1
        self.leases[name] = str(self.version)


class Replica:
    def __init__(self, world, name, offset):
        self.world, self.name, self.offset = world, name, offset
        self.claims, self.times, self.step, self.next, self.frozen_until = None, 0, "renew", world.now, 0.0

    def clock(self):
        return self.world.now + self.offset

    def owns(self, key):
        awake = self.world.now >= self.frozen_until
        return awake and self.claims is not None and self.claims.owns(key, self.clock())

    def go(self):
        """Take the next step of a round when its time has come; between two of them anything can happen."""
        if self.world.now < max(self.next, self.frozen_until):
            return
        if self.step == "list":
            self.step, self.next = "renew", self.world.now
            if self.claims.is_over(self.clock()):
                return
            self.claims = self.claims.after_round(dict(self.world.leases), self.began, self.clock())
            self.step, self.next = "renew", self.claims.next_round(self.began) - self.offset
            return
        self.began = self.clock()
        if self.world.random.random() < self.world.trouble:
            self.next = self.world.now + RENEW * LEASE  # the API server does not answer
        else:
            self.write()

    def write(self):
        """Renew the Lease, or announce a new one where there is none or it was lost."""
        world, claims = self.world, self.claims
        if claims is None or claims.is_over(self.clock()) or claims.me not in world.leases:
            self.times += 1
            if claims is not None and claims.me in world.leases:
                world.leases[claims.me] = GIVEN_UP
            self.claims = Claims(me=f"{self.name}-{self.times}", lease_seconds=LEASE, announced=self.clock())
        world.write(self.claims.me)
        slowness = world.random.choice((0.0, 0.3, 1.0, 3.0)) * RENEW * LEASE if world.trouble else 0.0
        self.step, self.next = "list", world.now + slowness


def rounds(world, seconds):
    """Let time pass, in steps in which the replicas act in any order."""
    for _ in range(int(seconds / STEP)):
        world.now += STEP
        for replica in world.random.sample(world.replicas, len(world.replicas)):
            replica.go()
        yield


def owners(world):
    return {key: [replica.name for replica in world.replicas if replica.owns(key)] for key in KEYS}


@pytest.mark.parametrize("seed", range(8))
def test_no_run_is_ever_owned_by_two(seed):
    world = World(seed, 3)
    for _ in rounds(world, 15 * LEASE):
        draw = world.random.random()
        if draw < 0.01 and len(world.replicas) > 1:
            world.replicas.remove(world.random.choice(world.replicas))  # killed: its Lease stays
            world.come()
        elif draw < 0.02:
            world.random.choice(world.replicas).frozen_until = world.now + world.random.uniform(0, 2 * LEASE)
        elif draw < 0.025 and world.leases:
            del world.leases[world.random.choice(sorted(world.leases))]  # by hand
        assert all(len(names) <= 1 for names in owners(world).values())


@pytest.mark.parametrize("after", range(12))
def test_one_who_comes_in_place_of_a_dead_one_holds_nothing_up(after):
    """What was the dead one's is owned again within a lease and a round, if not by the one who comes."""
    world = World(after, 3, trouble=0.0)
    list(rounds(world, 2 * LEASE + world.random.uniform(0, LEASE)))
    dead = world.replicas.pop()
    orphans = {key for key in KEYS if dead.owns(key)}
    for step, _ in enumerate(rounds(world, (1 + RENEW) * LEASE + STEP)):
        if step == int(after * LEASE / 10 / STEP):
            world.come()
        orphans -= {key for key, names in owners(world).items() if names}
    assert not orphans


@pytest.mark.parametrize("seed", range(5))
def test_what_a_dead_one_had_is_owned_again_when_its_lease_has_run_out(seed):
    world = World(seed, 3, trouble=0.0)
    list(rounds(world, 2 * LEASE + world.random.uniform(0, LEASE)))
    assert all(len(names) == 1 for names in owners(world).values())
    world.replicas.pop()
    list(rounds(world, LEASE + STEP))
    assert all(len(names) == 1 for names in owners(world).values())
