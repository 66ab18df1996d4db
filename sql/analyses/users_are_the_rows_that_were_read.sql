-- Users are the rows of the stored snapshot.
select
  c.tenant_id,
  'users' as of_what,
  coalesce(u.users, 0) as one_sum,
  coalesce(g.users, 0) as other_sum,
  cast(null as varchar) as people
from {{ ref('coverage') }} as c
left join (
  select tenant_id, count(*) as users
  from {{ ref('users') }}
  group by 1
) as u on u.tenant_id = c.tenant_id
left join (
  select tenant_id, snapshot_date, count(*) as users
  from {{ source('lake', 'graph_users') }}
  group by 1, 2
) as g on g.tenant_id = c.tenant_id and g.snapshot_date = c.logical_date
where c.table_name = 'graph_users' and c.is_measured
