-- Grain: one row per tenant, snapshot date, user and further address, in lower case.
select
  cast(u.tenant_id as varchar) as tenant_id,
  u.snapshot_date,
  cast(u.id as varchar) as user_id,
  'proxy_address' as kind,
  lower(substr(a.address, 6)) as address
from {{ source('lake', 'graph_users') }} as u
cross join unnest(u.proxy_addresses) as a(address)
where lower(a.address) like 'smtp:%'
union
select
  cast(u.tenant_id as varchar),
  u.snapshot_date,
  cast(u.id as varchar),
  'other_mail',
  lower(a.address)
from {{ source('lake', 'graph_users') }} as u
cross join unnest(u.other_mails) as a(address)
