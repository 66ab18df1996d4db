-- Grain: one row per tenant, refresh date and row of the activation report (user x product), by what is a desktop activation.
select
  cast(tenant_id as varchar) as tenant_id,
  report_refresh_date,
  lower(user_principal_name) as upn_key,
  coalesce(product_type, '') as product_type,
  coalesce(windows, 0) + coalesce(mac, 0) as desktop_activations,
  coalesce(activated_on_shared_computer, false) as is_shared_computer,
  last_activated_date
from {{ source('lake', 'report_office365_activations_user_detail') }}
