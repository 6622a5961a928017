package dev.parley.system.kv;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.parley.kv.history.Operation.Outcome;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/// What befalls a cluster under load. Each strikes, demands that whoever is connected with a
/// majority goes on acknowledging writes meanwhile, and leaves the cluster whole.
enum Nemesis {

  /// `kill -9` of one node, and its return.
  KILL {
    @Override
    void strike(KvCluster cluster, Workload load, RandomGenerator random, long millis) {
      int victim = any(cluster, random);
      cluster.kill(victim);
      load.awaitProgress(others(cluster, victim));
      load.go(millis);
      cluster.restart(victim);
    }
  },

  /// `kill -9` of all nodes at once.
  BLACKOUT {
    @Override
    void strike(KvCluster cluster, Workload load, RandomGenerator random, long millis) {
      cluster.nodes().forEach(cluster::kill);
      cluster.nodes().forEach(cluster::launch);
      cluster.nodes().forEach(cluster::awaitReady);
    }
  },

  /// SIGSTOP of one node: its connections stay, and it wakes up in another time.
  PAUSE {
    @Override
    void strike(KvCluster cluster, Workload load, RandomGenerator random, long millis) {
      int victim = any(cluster, random);
      cluster.pause(victim);
      try {
        load.awaitProgress(others(cluster, victim));
        load.go(millis);
      } finally {
        cluster.resume(victim);
      }
    }
  },

  /// One node without its peers, which the clients still reach.
  ISOLATION {
    @Override
    void strike(KvCluster cluster, Workload load, RandomGenerator random, long millis) {
      int victim = any(cluster, random);
      cluster.isolate(victim);
      load.awaitProgress(others(cluster, victim));
      load.go(millis);
      cluster.heal();
    }
  },

  /// The largest minority without the rest.
  HALVES {
    @Override
    void strike(KvCluster cluster, Workload load, RandomGenerator random, long millis) {
      List<Integer> shuffled = shuffled(cluster, random);
      List<Integer> majority = shuffled.subList(0, cluster.majority());
      List<Integer> minority = shuffled.subList(cluster.majority(), shuffled.size());
      cluster.partition(majority, minority);
      load.awaitProgress(majority);
      load.go(millis);
      cluster.heal();
    }
  },

  /// One node that is heard by nobody, but hears.
  MUTE {
    @Override
    void strike(KvCluster cluster, Workload load, RandomGenerator random, long millis) {
      int victim = any(cluster, random);
      for (int other : others(cluster, victim)) {
        cluster.cut(victim, other);
      }
      load.awaitProgress(others(cluster, victim));
      load.go(millis);
      cluster.heal();
    }
  },

  /// One node that hears nobody, but is heard.
  DEAF {
    @Override
    void strike(KvCluster cluster, Workload load, RandomGenerator random, long millis) {
      int victim = any(cluster, random);
      for (int other : others(cluster, victim)) {
        cluster.cut(other, victim);
      }
      load.awaitProgress(others(cluster, victim));
      load.go(millis);
      cluster.heal();
    }
  },

  /// Two halves that see one node in common (two, if the nodes are even in number), and not each
  /// other. All have a majority.
  BRIDGE {
    @Override
    void strike(KvCluster cluster, Workload load, RandomGenerator random, long millis) {
      List<Integer> shuffled = shuffled(cluster, random);
      int half = (shuffled.size() - 1) / 2;
      cluster.partition(
          shuffled.subList(0, half), shuffled.subList(shuffled.size() - half, shuffled.size()));
      load.awaitProgress(cluster.nodes());
      load.go(millis);
      cluster.heal();
    }
  },

  /// Partitions that come and go faster than failure detectors notice.
  FLAPPING {
    @Override
    void strike(KvCluster cluster, Workload load, RandomGenerator random, long millis) {
      long end = System.nanoTime() + millis * 1_000_000;
      do {
        cluster.isolate(any(cluster, random));
        load.go(100 + random.nextInt(500));
        cluster.heal();
        load.go(random.nextInt(300));
      } while (System.nanoTime() - end < 0);
    }
  },

  /// One node without room on its disk.
  FULL_DISK {
    @Override
    void strike(KvCluster cluster, Workload load, RandomGenerator random, long millis) {
      int victim = oneOf(cluster.smallDisks(), random);
      cluster.fillDisk(victim);
      try {
        load.awaitProgress(cluster.nodes());
        load.go(millis);
        assertTrue(cluster.isRunning(victim), "a full disk must not end the node");
      } finally {
        cluster.freeDisk(victim);
      }
    }
  },

  /// A majority without room: new values are refused with the reason, all else works on.
  ALL_DISKS_FULL {
    @Override
    void strike(KvCluster cluster, Workload load, RandomGenerator random, long millis) {
      List<Integer> small = cluster.smallDisks();
      // Of more nodes than three some keys have a majority of their replicas elsewhere.
      if (cluster.nodes().size() > 3 || small.size() < KvCluster.SMALL_DISKS) {
        FULL_DISK.strike(cluster, load, random, millis);
        return;
      }
      int large = cluster.nodes().stream().filter(node -> !small.contains(node)).findAny().get();
      String key = "full/" + random.nextLong(Long.MAX_VALUE);
      assertInstanceOf(Outcome.Applied.class, load.putAt(large, key, "before"));
      small.forEach(cluster::fillDisk);
      try {
        int[] tries = {0};
        KvCluster.await(
            "new values are refused",
            () -> load.putAt(large, key, "during " + tries[0]++) instanceof Outcome.NotApplied);
        load.go(millis);
        assertInstanceOf(Outcome.NotApplied.class, load.putAt(small.getFirst(), key, "full"));
        assertInstanceOf(Outcome.Found.class, load.readAt(small.getLast(), key));
        KvCluster.await(
            "a delete, for which there is always room",
            () -> load.deleteAt(large, key) instanceof Outcome.Applied);
        for (int node : cluster.nodes()) {
          assertTrue(cluster.isRunning(node), "a full disk must not end a node");
        }
      } finally {
        small.forEach(cluster::freeDisk);
      }
    }
  },

  /// A bit flips in the log of a stopped node: it refuses to start, the others go on.
  BIT_FLIP {
    @Override
    void strike(KvCluster cluster, Workload load, RandomGenerator random, long millis) {
      int victim = any(cluster, random);
      cluster.stop(victim);
      refuseAndMend(cluster, load, victim, cluster.flipBit(victim, random), "is damaged");
    }
  },

  /// The log of a stopped node loses its end: it refuses to start, the others go on.
  TRUNCATION {
    @Override
    void strike(KvCluster cluster, Workload load, RandomGenerator random, long millis) {
      int victim = any(cluster, random);
      cluster.stop(victim);
      refuseAndMend(cluster, load, victim, cluster.truncate(victim, random), "was cut off");
    }
  },

  /// Every node in turn stops in good order and comes back.
  ROLLING_RESTART {
    @Override
    void strike(KvCluster cluster, Workload load, RandomGenerator random, long millis) {
      for (int node : shuffled(cluster, random)) {
        cluster.stop(node);
        load.awaitProgress(others(cluster, node));
        cluster.restart(node);
      }
    }
  },

  /// A fresh node is added, or takes the place of another if there are many.
  ADDITION {
    @Override
    void strike(KvCluster cluster, Workload load, RandomGenerator random, long millis) {
      Move move = Move.possible(cluster).contains(Move.ADD) ? Move.ADD : Move.REPLACE;
      change(move, cluster, random, () -> load.awaitProgress(cluster.nodes()));
    }
  },

  /// A node is removed. It refuses everything from then on, also after a `kill -9` and a start.
  REMOVAL {
    @Override
    void strike(KvCluster cluster, Workload load, RandomGenerator random, long millis) {
      if (!Move.possible(cluster).contains(Move.REMOVE)) {
        change(Move.ADD, cluster, random, () -> {});
      }
      int leaver = Move.REMOVE.begin(cluster, random);
      load.awaitProgress(cluster.nodes());
      cluster.awaitChange();
      assertRefuses(cluster, leaver);
      load.go(millis);
      cluster.kill(leaver);
      cluster.launch(leaver);
      assertRefuses(cluster, leaver);
      cluster.dismiss(leaver);
    }
  },

  /// A node is replaced in its sleep, and wakes up in a cluster that it is no member of. Whoever
  /// asks it then must not be told of its dreams.
  REPLACEMENT {
    @Override
    void strike(KvCluster cluster, Workload load, RandomGenerator random, long millis) {
      int leaver = any(cluster, random);
      int newcomer = cluster.recruit(leaver);
      cluster.pause(leaver);
      try {
        cluster.replace(leaver, newcomer);
        load.awaitProgress(cluster.nodes());
        cluster.awaitChange();
      } finally {
        cluster.resume(leaver);
      }
      load.go(millis);
      assertRefuses(cluster, leaver);
      cluster.dismiss(leaver);
    }
  },

  /// `kill -9` of one node, whose disk is lost with it, so that another takes its place.
  LOST_DISK {
    @Override
    void strike(KvCluster cluster, Workload load, RandomGenerator random, long millis) {
      change(Move.REPLACE_LOST, cluster, random, () -> load.awaitProgress(cluster.nodes()));
    }
  },

  /// `kill -9` of the node that carries out a change of the members, and its return.
  CHANGE_DRIVER_KILLED {
    @Override
    void strike(KvCluster cluster, Workload load, RandomGenerator random, long millis) {
      for (int tries = 1; ; tries++) {
        boolean[] hit = {false};
        Move move = oneOf(Move.possible(cluster), random);
        change(
            move,
            cluster,
            random,
            () -> {
              Optional<KvCluster.Driver> driver = cluster.driver();
              if (driver.isPresent()) {
                int victim = driver.get().node();
                cluster.kill(victim);
                hit[0] = cluster.changing();
                System.out.printf(
                    "  kv-%d killed at %s%n", victim, hit[0] ? driver.get().progress() : "the end");
                survive(move, cluster, load, victim, millis);
                cluster.restart(victim);
              }
            });
        if (hit[0]) {
          return;
        }
        assertTrue(tries < TRIES, "no change of the members takes long enough to be disturbed");
      }
    }
  },

  /// `kill -9` of any node in the midst of a change of the members, and its return.
  CHANGE_MEMBER_KILLED {
    @Override
    void strike(KvCluster cluster, Workload load, RandomGenerator random, long millis) {
      Move move = oneOf(Move.possible(cluster), random);
      change(
          move,
          cluster,
          random,
          () -> {
            int victim = oneOf(running(cluster), random);
            cluster.kill(victim);
            survive(move, cluster, load, victim, millis);
            cluster.restart(victim);
          });
    }
  },

  /// SIGSTOP of any node in the midst of a change of the members, most likely of the one that
  /// carries it out.
  CHANGE_MEMBER_PAUSED {
    @Override
    void strike(KvCluster cluster, Workload load, RandomGenerator random, long millis) {
      Move move = oneOf(Move.possible(cluster), random);
      change(
          move,
          cluster,
          random,
          () -> {
            List<Integer> possible = running(cluster);
            Optional<KvCluster.Driver> driver = cluster.driver();
            driver.ifPresent(busy -> possible.add(busy.node()));
            int victim = oneOf(possible, random);
            System.out.printf(
                "  kv-%d paused, %s%n",
                victim, driver.map(KvCluster.Driver::toString).orElse("too late"));
            cluster.pause(victim);
            try {
              survive(move, cluster, load, victim, millis);
            } finally {
              cluster.resume(victim);
            }
          });
    }
  },

  /// Anything else in the midst of a change of the members.
  CHANGE_UNDER_FIRE {
    @Override
    void strike(KvCluster cluster, Workload load, RandomGenerator random, long millis) {
      List<Nemesis> possible =
          BESIDES_CHANGES.stream().filter(each -> each.whyImpossible(cluster) == null).toList();
      Nemesis other = oneOf(possible, random);
      List<Move> ofTheLiving =
          Move.possible(cluster).stream().filter(move -> move != Move.REPLACE_LOST).toList();
      Move move = oneOf(ofTheLiving, random);
      change(
          move,
          cluster,
          random,
          () -> {
            System.out.println("  " + move + " and " + other);
            other.strike(cluster, load, random, millis);
          });
    }
  };

  /// What can go on while the members change. Damaged logs are left out: that of a fresh node may
  /// hold too little for the damage to be told from a torn end.
  private static final List<Nemesis> BESIDES_CHANGES =
      List.of(
          KILL,
          BLACKOUT,
          PAUSE,
          ISOLATION,
          HALVES,
          MUTE,
          DEAF,
          BRIDGE,
          FLAPPING,
          FULL_DISK,
          ROLLING_RESTART);

  /// Changes begun to catch one that is not over yet.
  private static final int TRIES = 3;

  /// Does its worst for about so many milliseconds.
  abstract void strike(KvCluster cluster, Workload load, RandomGenerator random, long millis);

  /// Why this cannot befall this cluster, or null if it can.
  @Nullable String whyImpossible(KvCluster cluster) {
    return switch (this) {
      case ISOLATION, HALVES, MUTE, DEAF, BRIDGE, FLAPPING -> cluster.whyUncuttable();
      case FULL_DISK, ALL_DISKS_FULL -> cluster.whyUnfillable();
      case ADDITION,
          REMOVAL,
          REPLACEMENT,
          LOST_DISK,
          CHANGE_DRIVER_KILLED,
          CHANGE_MEMBER_KILLED,
          CHANGE_MEMBER_PAUSED,
          CHANGE_UNDER_FIRE ->
          cluster.whyUnchangeable();
      case KILL, BLACKOUT, PAUSE, BIT_FLIP, TRUNCATION, ROLLING_RESTART -> null;
    };
  }

  /// Whether it makes other nodes members than before.
  boolean changesMembers() {
    return compareTo(ADDITION) >= 0;
  }

  /// Changes the members, and does something in the midst of it.
  private static void change(
      Move move, KvCluster cluster, RandomGenerator random, Runnable meanwhile) {
    int leaver = move.begin(cluster, random);
    meanwhile.run();
    cluster.awaitChange();
    if (leaver != 0) {
      if (cluster.isRunning(leaver)) {
        assertRefuses(cluster, leaver);
      }
      cluster.dismiss(leaver);
    }
  }

  /// Demands what is due while a member is away and the members change, and lets time pass.
  private static void survive(Move move, KvCluster cluster, Workload load, int away, long millis) {
    if (move != Move.REPLACE_LOST) {
      load.awaitProgress(others(cluster, away));
    } // Else a key may have lost two of three replicas for now.
    load.go(millis);
  }

  /// Demands that a node which is no member any more answers nobody.
  private static void assertRefuses(KvCluster cluster, int removed) {
    cluster.awaitRemoved(removed);
    String key = "/v1/kv/chaos/removed";
    for (String method : List.of("GET", "PUT", "DELETE")) {
      assertEquals(503, cluster.status(removed, method, key), method);
    }
    assertEquals(503, cluster.status(removed, "GET", "/v1/kv?prefix=chaos/"), "a listing");
  }

  /// Everybody who can be struck while the members change: the members, whoever comes and, if it
  /// lives, whoever leaves.
  private static List<Integer> running(KvCluster cluster) {
    List<Integer> running = cluster.asked();
    running.removeIf(node -> !cluster.isRunning(node));
    return running;
  }

  private static void refuseAndMend(
      KvCluster cluster, Workload load, int victim, KvCluster.Damage damage, String words) {
    try {
      String said = cluster.launchInVain(victim);
      String line =
          said.lines().filter(each -> each.startsWith("kv-node: ")).findFirst().orElse("");
      assertTrue(
          line.startsWith("kv-node: cannot use the data directory ")
              && line.contains("segment ")
              && line.contains(words),
          () -> damage.what() + ", but the node said:\n" + said);
      load.awaitProgress(others(cluster, victim));
    } finally {
      damage.mend();
    }
    cluster.restart(victim);
  }

  private static int any(KvCluster cluster, RandomGenerator random) {
    return oneOf(cluster.nodes(), random);
  }

  static <T> T oneOf(List<T> of, RandomGenerator random) {
    return of.get(random.nextInt(of.size()));
  }

  private static List<Integer> others(KvCluster cluster, int node) {
    return cluster.nodes().stream().filter(other -> other != node).toList();
  }

  private static List<Integer> shuffled(KvCluster cluster, RandomGenerator random) {
    List<Integer> nodes = new ArrayList<>(cluster.nodes());
    Collections.shuffle(nodes, Random.from(random));
    return nodes;
  }
}
