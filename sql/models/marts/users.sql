-- Grain: one row per user of the tenant's current snapshot; a user who is gone from it is not in the mart.
with latest as (
  select
    tenant_id,
    user_id,
    min_by(service, recency) as service,
    min_by(last_activity_date, recency) as last_activity_date,
    min(days_since_last_activity) as days_since_last_activity
  from {{ ref('int_service_last_activity') }}
  group by 1, 2
),

-- Of the users' own snapshot: what was registered on another day says nothing of this one.
registered as (
  select r.tenant_id, r.snapshot_date, r.user_id, bool_or(r.is_mfa_registered) as is_mfa_registered
  from {{ ref('stg_user_registrations') }} as r
  join {{ ref('int_coverage') }} as c on c.tenant_id = r.tenant_id and c.logical_date = r.snapshot_date
  where c.table_name = 'graph_user_registration_details' and c.is_measured
  group by 1, 2, 3
),

held as (
  select distinct l.tenant_id, l.user_id, l.sku_id, k.product_name
  from {{ ref('int_user_licenses') }} as l
  join {{ ref('int_skus') }} as k on k.tenant_id = l.tenant_id and k.sku_id = l.sku_id
  where l.holds_seat and k.is_managed
),

licenses as (
  select
    tenant_id,
    user_id,
    cast(count(*) as integer) as licenses,
    array_join(array_agg(product_name order by product_name, sku_id), ', ') as license_names
  from held
  group by 1, 2
)

select
  u.tenant_id,
  u.as_of_date,
  u.user_id,
  u.user_principal_name,
  u.mail,
  u.given_name,
  u.surname,
  u.account_enabled,
  u.is_guest,
  u.job_title,
  u.department,
  u.country,
  u.account_created_date,
  u.on_premises_sync,
  case when c.is_measured then coalesce(l.licenses, 0) end as licenses,
  l.license_names,
  cast(g.activations as integer) as activations,
  cast(g.mail_used_bytes as double) / 1048576 as mail_usage_mb,
  cast(g.onedrive_used_bytes as double) / 1048576 as onedrive_usage_mb,
  g.uses_windows,
  g.uses_mac,
  g.uses_mobile,
  g.uses_web,
  r.last_activity_date,
  r.service as last_activity_service,
  r.days_since_last_activity,
  u.last_sign_in_at,
  m.is_mfa_registered,
  coalesce(u.account_created_date, h.first_seen_date) as active_date,
  h.deactivated_date
from {{ ref('int_users') }} as u
join {{ ref('int_user_history') }} as h on h.tenant_id = u.tenant_id and h.user_id = u.user_id
join {{ ref('int_user_usage') }} as g on g.tenant_id = u.tenant_id and g.user_id = u.user_id
join {{ ref('int_coverage') }} as c on c.tenant_id = u.tenant_id and c.table_name = 'graph_user_licenses'
left join licenses as l on l.tenant_id = u.tenant_id and l.user_id = u.user_id
left join registered as m on m.tenant_id = u.tenant_id and m.user_id = u.user_id and m.snapshot_date = u.as_of_date
left join latest as r on r.tenant_id = u.tenant_id and r.user_id = u.user_id
