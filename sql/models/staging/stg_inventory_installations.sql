-- Grain: one row per tenant, snapshot date and installation of an inventory file (device x product x user).
select
  cast(tenant_id as varchar) as tenant_id,
  snapshot_date,
  file,
  line,
  device_key,
  lower(device_name) as device_name_key,
  device_name,
  os,
  platform,
  last_seen_date,
  user_name,
  -- Who the user is, as far as the inventory says: rows that agree on it are one person.
  coalesce(lower(user_name), '') || '|' || coalesce(user_object_id, '') || '|' || coalesce(user_mail, '') || '|'
    || coalesce(user_domain, '') || '|' || coalesce(employee_id, '') as person_key,
  user_object_id,
  user_address,
  user_mail,
  user_domain || '/' || user_account as domain_account,
  case when user_domain is null then user_account end as bare_account,
  employee_id,
  product_family,
  product_name,
  version,
  install_kind,
  install_date,
  last_used_date
from {{ source('lake', 'inventory_installations') }}
