-- Grain: one row per set of up to eight places and place in it; the empty set has no row. A set's number has one bit a place.
with bits as (
  select 0 as bit
  union all
  select 1
),

sets as (
  select
    b1.bit + 2 * b2.bit + 4 * b3.bit + 8 * b4.bit + 16 * b5.bit + 32 * b6.bit + 64 * b7.bit + 128 * b8.bit as removal_set,
    b1.bit as p1,
    b2.bit as p2,
    b3.bit as p3,
    b4.bit as p4,
    b5.bit as p5,
    b6.bit as p6,
    b7.bit as p7,
    b8.bit as p8
  from bits as b1
  cross join bits as b2
  cross join bits as b3
  cross join bits as b4
  cross join bits as b5
  cross join bits as b6
  cross join bits as b7
  cross join bits as b8
),

members as (
  select removal_set, 1 as place from sets where p1 = 1
  union all
  select removal_set, 2 from sets where p2 = 1
  union all
  select removal_set, 3 from sets where p3 = 1
  union all
  select removal_set, 4 from sets where p4 = 1
  union all
  select removal_set, 5 from sets where p5 = 1
  union all
  select removal_set, 6 from sets where p6 = 1
  union all
  select removal_set, 7 from sets where p7 = 1
  union all
  select removal_set, 8 from sets where p8 = 1
)

select removal_set, place, max(place) over (partition by removal_set) as places
from members
